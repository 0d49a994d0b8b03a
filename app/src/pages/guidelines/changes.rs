//! What changed from one version to another.

use kenami_domain::{schema::Attribute, view::guidelines::GuidelineText};
use leptos::prelude::*;
use similar::{ChangeTag, TextDiff};

use crate::text;

/// A piece of text that stayed, came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// In both.
    Same(String),
    /// Only in the newer.
    Added(String),
    /// Only in the older.
    Removed(String),
}

/// The pieces that lead from `old` to `new`, word by word.
pub fn pieces(old: &str, new: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for change in TextDiff::from_words(old, new).iter_all_changes() {
        let word = change.value();
        match (change.tag(), pieces.last_mut()) {
            (ChangeTag::Equal, Some(Piece::Same(text)))
            | (ChangeTag::Insert, Some(Piece::Added(text)))
            | (ChangeTag::Delete, Some(Piece::Removed(text))) => text.push_str(word),
            (ChangeTag::Equal, _) => pieces.push(Piece::Same(word.to_owned())),
            (ChangeTag::Insert, _) => pieces.push(Piece::Added(word.to_owned())),
            (ChangeTag::Delete, _) => pieces.push(Piece::Removed(word.to_owned())),
        }
    }
    pieces
}

/// The differing parts of two texts of one attribute: heading, older text, newer text.
pub fn differences(
    attribute: &Attribute,
    old: &GuidelineText,
    new: &GuidelineText,
    language: &str,
) -> Vec<(String, String, String)> {
    let rule_of = |text: &GuidelineText, value: &str| {
        text.rules
            .iter()
            .find(|rule| rule.value == value)
            .and_then(|rule| rule.rule.get(language))
            .unwrap_or_default()
            .to_owned()
    };
    let introduction = |text: &GuidelineText| text.introduction.get(language).unwrap_or_default().to_owned();
    let mut parts = vec![(t!("Introduction").to_owned(), introduction(old), introduction(new))];
    let mut values: Vec<&str> = new.rules.iter().chain(&old.rules).map(|rule| rule.value.as_str()).collect();
    let mut seen = std::collections::BTreeSet::new();
    values.retain(|value| seen.insert(*value));
    parts.extend(
        values
            .into_iter()
            .map(|value| (text::value_name(attribute, value, language), rule_of(old, value), rule_of(new, value))),
    );
    let order = |text: &GuidelineText| {
        text.rules.iter().map(|rule| text::value_name(attribute, &rule.value, language)).collect::<Vec<_>>().join(", ")
    };
    parts.push((t!("Order of the rules").to_owned(), order(old), order(new)));
    parts.retain(|(_, old, new)| old != new);
    parts
}

/// Shows what changed, word by word: removed words struck through, new ones underlined.
#[component]
pub fn Changes(
    /// The attribute.
    attribute: Attribute,
    /// The older text.
    old: GuidelineText,
    /// The newer text.
    new: GuidelineText,
) -> impl IntoView {
    let parts = differences(&attribute, &old, &new, text::language());
    if parts.is_empty() {
        return view! { <p class="quiet">{t!("The texts are the same; only examples may differ.")}</p> }.into_any();
    }
    let sections = parts
        .into_iter()
        .map(|(heading, old, new)| {
            let words = pieces(&old, &new)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Same(text) => view! { <span>{text}</span> }.into_any(),
                    Piece::Added(text) => view! { <ins>{text}</ins> }.into_any(),
                    Piece::Removed(text) => view! { <del>{text}</del> }.into_any(),
                })
                .collect_view();
            view! { <section class="stack-s"><h3>{heading}</h3><p class="changes">{words}</p></section> }
        })
        .collect_view();
    view! { <div class="stack">{sections}</div> }.into_any()
}

#[cfg(test)]
mod tests {
    use kenami_domain::{
        schema::{AttributeKind, Texts},
        view::guidelines::Rule,
    };

    use super::*;

    #[test]
    fn changes_are_found_word_by_word() {
        assert_eq!(
            pieces("the whole ear stands", "the ear stands upright"),
            [
                Piece::Same("the ".into()),
                Piece::Removed("whole ".into()),
                Piece::Same("ear stands".into()),
                Piece::Added(" upright".into()),
            ]
        );
        assert_eq!(pieces("same", "same"), [Piece::Same("same".into())]);
    }

    #[test]
    fn a_changed_order_is_a_change() {
        let attribute = Attribute {
            key: "ear".into(),
            names: Texts::default(),
            kind: AttributeKind::Annotated,
            values: Vec::new(),
        };
        let rule = |value: &str| Rule { value: value.into(), rule: Texts::en("x"), examples: Vec::new() };
        let text = |rules: Vec<Rule>| GuidelineText { introduction: Texts::default(), rules };
        let (old, new) = (text(vec![rule("drop"), rule("erect")]), text(vec![rule("erect"), rule("drop")]));
        let found = differences(&attribute, &old, &new, "en");
        assert_eq!(found, [("Order of the rules".to_owned(), "drop, erect".to_owned(), "erect, drop".to_owned())]);
        assert!(differences(&attribute, &old, &old, "en").is_empty());
    }
}
