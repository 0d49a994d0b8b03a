//! `guidelines.md`, and `guidelines.LANGUAGE.md` beside it: a section an attribute, a numbered rule a value.
//!
//! ```text
//! # Title
//! What holds for every attribute.
//! ## Ear shape: look at the ear that is seen best     <- the heading's first word is the attribute's key or name
//! 1. The whole ear stands: **erect**. More about it.  <- the bold word is the value, by key or name
//! What holds beside the rules.
//! ```

use kenami_domain::{
    schema::{Attribute, AttributeValue, Texts},
    view::guidelines::{GuidelineText, Rule},
};

/// A section as it is read.
#[derive(Default)]
struct Section {
    heading: String,
    rules: Vec<String>,
    paragraphs: Vec<String>,
}

/// Reads the guidelines, written in `language`, of those `attributes` that have a section; what does not fit comes back as
/// warnings, which name the `file`.
pub(super) fn read(
    file: &str,
    text: &str,
    language: &str,
    attributes: &[Attribute],
) -> (Vec<(String, GuidelineText)>, Vec<String>) {
    let (general, sections) = sections(text);
    let mut guidelines = Vec::new();
    let mut warnings = Vec::new();
    for section in sections {
        let word: String = section.heading.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let word = word.to_lowercase();
        let fits = |attribute: &&Attribute| attribute.key == word || attribute.names.own(language) == Some(&word);
        let Some(attribute) = attributes.iter().find(fits) else {
            warnings.push(format!("{file}: `{}` is about no attribute of the project", section.heading));
            continue;
        };
        let key = attribute.key.clone();
        let mut rules: Vec<Rule> = Vec::new();
        for rule in section.rules {
            let Some(value) = value_of(&rule, attribute, language) else {
                warnings.push(format!("{file}: no bold value of {key} in the rule \"{rule}\""));
                continue;
            };
            match rules.iter_mut().find(|known| known.value == value) {
                Some(known) => {
                    let both = format!("{}\n\n{rule}", known.rule.own(language).unwrap_or_default());
                    known.rule = Texts::of(language, both);
                }
                None => rules.push(Rule { value, rule: Texts::of(language, rule), examples: Vec::new() }),
            }
        }
        let heading = format!("**{}**", section.heading);
        let parts = general.iter().chain([&heading]).chain(&section.paragraphs).cloned().collect::<Vec<_>>();
        guidelines.push((key, GuidelineText { introduction: Texts::of(language, parts.join("\n\n")), rules }));
    }
    (guidelines, warnings)
}

/// Adds the texts of `more`, in another language, to those of `guidelines`. The first file's order of rules stands; what
/// only `more` has comes after it.
pub(super) fn add_language(guidelines: &mut Vec<(String, GuidelineText)>, more: Vec<(String, GuidelineText)>) {
    for (key, text) in more {
        let Some((_, known)) = guidelines.iter_mut().find(|(of, _)| *of == key) else {
            guidelines.push((key, text));
            continue;
        };
        known.introduction.0.extend(text.introduction.0);
        for rule in text.rules {
            match known.rules.iter_mut().find(|known| known.value == rule.value) {
                Some(known) => known.rule.0.extend(rule.rule.0),
                None => known.rules.push(rule),
            }
        }
    }
}

/// The paragraphs below the title, and the sections below them.
fn sections(text: &str) -> (Vec<String>, Vec<Section>) {
    let mut top = Section::default();
    let mut sections: Vec<Section> = Vec::new();
    let mut ends_block = true;
    let mut in_rule = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let current = sections.last_mut().unwrap_or(&mut top);
        let trimmed = line.trim();
        if trimmed.is_empty() {
            ends_block = true;
        } else if let Some(heading) = trimmed.strip_prefix("## ") {
            sections.push(Section { heading: heading.trim().to_owned(), ..Section::default() });
            (ends_block, in_rule) = (true, false);
        } else if trimmed.starts_with("# ") {
            ends_block = true;
        } else if let Some(rule) = numbered(trimmed) {
            current.rules.push(rule.to_owned());
            (ends_block, in_rule) = (false, true);
        } else if in_rule && line.starts_with(' ') {
            // Indented: goes on with the rule, as a paragraph of its own after an empty line.
            let rule = current.rules.last_mut().expect("in a rule");
            rule.push_str(if ends_block { "\n\n" } else { " " });
            rule.push_str(trimmed);
            ends_block = false;
        } else {
            match current.paragraphs.last_mut().filter(|_| !ends_block && !in_rule) {
                Some(paragraph) => {
                    paragraph.push(' ');
                    paragraph.push_str(trimmed);
                }
                None => current.paragraphs.push(trimmed.to_owned()),
            }
            (ends_block, in_rule) = (false, false);
        }
    }
    (top.paragraphs, sections)
}

/// The text behind `3. ` or `3) `.
fn numbered(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == line.len() {
        return None;
    }
    rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") ")).map(str::trim)
}

/// The first bold text that is a value of the attribute, by key or by its name in `language`.
fn value_of(rule: &str, attribute: &Attribute, language: &str) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    let bold = rule.split("**").skip(1).step_by(2);
    bold.map(|text| plain(text.trim_end_matches(['.', ':']).trim())).find_map(|word| {
        let fits = |value: &&AttributeValue| {
            plain(&value.key) == word || value.names.own(language).is_some_and(|name| plain(name) == word)
        };
        attribute.values.iter().find(fits).map(|value| value.key.clone())
    })
}

#[cfg(test)]
mod tests {
    use kenami_domain::schema::AttributeKind;

    use super::*;
    use crate::import::names;

    #[test]
    fn sections_become_rules_in_order() {
        let values = ["drop", "semi_erect", "erect"].map(String::from);
        let ear = names::attribute("ear", AttributeKind::Annotated, &values);
        let text = "# Rules\n\nFor all,\nalways.\n\n## Ear shape: at rest\n1. It stands: **erect**. Not if it\n   bends.\n\
                    2. It folds: **semi-erect**.\n3. It hangs: **pendant**.\nLaid back: judge\nthe leather.\n\n## Tail: x\n";
        let (guidelines, warnings) = read("guidelines.md", text, "en", &[ear]);
        let [(key, text)] = guidelines.as_slice() else { panic!("{guidelines:?}") };
        assert_eq!(key, "ear");
        assert_eq!(
            text.introduction.get("en").unwrap(),
            "For all, always.\n\n**Ear shape: at rest**\n\nLaid back: judge the leather."
        );
        let rules: Vec<_> = text.rules.iter().map(|r| (r.value.as_str(), r.rule.get("en").unwrap())).collect();
        assert_eq!(
            rules,
            [("erect", "It stands: **erect**. Not if it bends."), ("semi_erect", "It folds: **semi-erect**.")]
        );
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }

    #[test]
    fn another_language_names_what_it_is_about_in_its_own_words() {
        let values = ["drop", "erect"].map(String::from);
        let mut ear = names::attribute("ear", AttributeKind::Annotated, &values);
        ear.names.0.insert("ja".to_owned(), "耳".to_owned());
        for (value, name) in ear.values.iter_mut().zip(["垂れ耳", "立ち耳"]) {
            value.names.0.insert("ja".to_owned(), name.to_owned());
        }
        let ears = [ear];
        let (mut guidelines, _) = read("en", "## Ear\n1. Up: **erect**.\n2. Down: **drop**.\n", "en", &ears);
        let japanese =
            "一般。\n## 耳: 形\n1. 垂れる: **垂れ耳**。\n2. 立つ: **立ち耳**。\n## 尾\n1. 長い: **長い**。\n";
        let (more, warnings) = read("guidelines.ja.md", japanese, "ja", &ears);
        add_language(&mut guidelines, more);
        let [(_, text)] = guidelines.as_slice() else { panic!("{guidelines:?}") };
        assert_eq!(text.introduction.own("en"), Some("**Ear**"));
        assert_eq!(text.introduction.own("ja"), Some("一般。\n\n**耳: 形**"));
        let rules: Vec<_> = text.rules.iter().map(|r| (r.value.as_str(), r.rule.own("ja").unwrap())).collect();
        assert_eq!(rules, [("erect", "立つ: **立ち耳**。"), ("drop", "垂れる: **垂れ耳**。")]);
        assert!(matches!(warnings.as_slice(), [one] if one.starts_with("guidelines.ja.md: ")), "{warnings:?}");
    }
}
