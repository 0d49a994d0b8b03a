//! The draft as the editor holds it: what is typed, and what the server has.

use kenami_domain::{
    schema::{Attribute, Texts},
    view::guidelines::{Draft, DraftEdit, Example, ExampleEdit, Guideline, GuidelineText, Rule, RuleEdit},
};
use leptos::prelude::*;
use time::OffsetDateTime;

use crate::text::Language;

/// One rule that is being edited.
#[derive(Clone, Copy)]
pub struct RuleDraft {
    /// The value's key; it never changes.
    pub value: StoredValue<String>,
    /// Markdown per language.
    pub texts: RwSignal<Texts>,
    /// Examples in order.
    pub examples: RwSignal<Vec<Example>>,
}

impl RuleDraft {
    fn new(rule: &Rule) -> Self {
        Self {
            value: StoredValue::new(rule.value.clone()),
            texts: RwSignal::new(rule.rule.clone()),
            examples: RwSignal::new(rule.examples.clone()),
        }
    }
}

/// The draft that is being edited; signals, so that each field changes alone.
#[derive(Clone, Copy)]
pub struct DraftState {
    /// The language that is being edited.
    pub language: RwSignal<Language>,
    /// Markdown per language.
    pub introduction: RwSignal<Texts>,
    /// In the order in which they are applied.
    pub rules: RwSignal<Vec<RuleDraft>>,
    /// What changed and why.
    pub change_note: RwSignal<String>,
    /// The draft's `updated_at` on the server; none while it has none.
    pub based_on: RwSignal<Option<OffsetDateTime>>,
    /// What the server has.
    saved: RwSignal<Option<DraftEdit>>,
}

impl DraftState {
    /// The draft of `guideline`; without one, a copy of the text in force. Values without a rule get an empty one.
    pub fn new(guideline: &Guideline, language: Language) -> Self {
        let draft = guideline.draft.as_ref();
        let text = draft.map_or(&guideline.text, |draft| &draft.text);
        let state = Self {
            language: RwSignal::new(language),
            introduction: RwSignal::new(text.introduction.clone()),
            rules: RwSignal::new(all_rules(&guideline.attribute, text).iter().map(RuleDraft::new).collect()),
            change_note: RwSignal::new(draft.map(|draft| draft.change_note.clone()).unwrap_or_default()),
            based_on: RwSignal::new(draft.map(|draft| draft.updated_at)),
            saved: RwSignal::new(None),
        };
        state.saved.set(Some(untrack(|| state.content())));
        state
    }

    /// What is typed, as it is sent.
    pub fn edit(&self) -> DraftEdit {
        DraftEdit { based_on: self.based_on.get(), ..self.content() }
    }

    /// What is typed; `based_on` stays empty, so that two of them can be compared.
    fn content(&self) -> DraftEdit {
        let rules = self.rules.get().into_iter().map(|rule| RuleEdit {
            value: rule.value.get_value(),
            rule: rule.texts.get(),
            examples: rule
                .examples
                .get()
                .into_iter()
                .map(|e| ExampleEdit { photo_id: e.photo.id, caption: e.caption })
                .collect(),
        });
        DraftEdit {
            introduction: self.introduction.get(),
            rules: rules.collect(),
            change_note: self.change_note.get(),
            based_on: None,
        }
    }

    /// Whether something is typed that the server does not have.
    pub fn is_dirty(&self) -> bool {
        self.saved.with(|saved| saved.as_ref() != Some(&self.content()))
    }

    /// The server has saved `sent` as `draft`.
    pub fn saved_as(&self, sent: DraftEdit, draft: &Draft) {
        self.based_on.set(Some(draft.updated_at));
        self.saved.set(Some(DraftEdit { based_on: None, ..sent }));
    }

    /// How many of the introduction and the rules have no text in `language`.
    pub fn missing(&self, language: Language) -> i64 {
        let empty = |texts: RwSignal<Texts>| texts.with(|texts| texts.own(language.code()).is_none());
        let rules = self.rules.get().into_iter().filter(|rule| empty(rule.texts)).count();
        rules as i64 + i64::from(empty(self.introduction))
    }

    /// Moves the rule at `index` one place up or down.
    pub fn move_rule(&self, index: usize, up: bool) {
        self.rules.update(|rules| {
            let other = if up { index.checked_sub(1) } else { Some(index + 1) };
            if let Some(other) = other.filter(|other| *other < rules.len()) {
                rules.swap(index, other);
            }
        });
    }
}

/// A rule for every value that is offered or has one: first the text's, in its order, then the rest.
fn all_rules(attribute: &Attribute, text: &GuidelineText) -> Vec<Rule> {
    let mut rules = text.rules.clone();
    for value in attribute.values.iter().filter(|value| !value.retired) {
        if !rules.iter().any(|rule| rule.value == value.key) {
            rules.push(Rule { value: value.key.clone(), rule: Texts::default(), examples: Vec::new() });
        }
    }
    rules
}

/// The text in exactly `language`, as it is edited: another language's words are not to be saved as this one's.
pub fn own_text(texts: &Texts, language: Language) -> String {
    texts.0.get(language.code()).cloned().unwrap_or_default()
}

/// Puts `text` into `texts` in `language`; an empty text is no text.
pub fn set_text(texts: &mut Texts, language: Language, text: String) {
    if text.trim().is_empty() {
        texts.0.remove(language.code());
    } else {
        texts.0.insert(language.code().to_owned(), text);
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::schema::{AttributeKind, AttributeValue};

    use super::*;

    fn value(key: &str, retired: bool) -> AttributeValue {
        AttributeValue { key: key.into(), names: Texts::default(), retired }
    }

    #[test]
    fn every_value_on_offer_has_a_rule_to_edit() {
        let attribute = Attribute {
            key: "ear".into(),
            names: Texts::default(),
            kind: AttributeKind::Annotated,
            values: vec![value("erect", false), value("drop", false), value("old", true)],
        };
        let text = GuidelineText {
            introduction: Texts::default(),
            rules: vec![Rule { value: "drop".into(), rule: Texts::en("hangs"), examples: Vec::new() }],
        };
        let keys: Vec<_> = all_rules(&attribute, &text).into_iter().map(|rule| rule.value).collect();
        assert_eq!(keys, ["drop", "erect"]);
    }

    #[test]
    fn other_languages_are_kept_and_not_mixed() {
        let mut texts = Texts::en("ear");
        texts.0.insert("ja".into(), "耳".into());
        assert_eq!(own_text(&texts, Language::Japanese), "耳");
        set_text(&mut texts, Language::English, "ears".into());
        assert_eq!((texts.get("en"), texts.get("ja")), (Some("ears"), Some("耳")));
        set_text(&mut texts, Language::English, "  ".into());
        assert_eq!(own_text(&texts, Language::English), "");
        assert_eq!(texts.0.len(), 1);
    }

    #[test]
    fn what_is_typed_is_dirty_until_it_is_saved() {
        let owner = Owner::new();
        owner.with(|| {
            let attribute = Attribute {
                key: "ear".into(),
                names: Texts::default(),
                kind: AttributeKind::Annotated,
                values: vec![value("erect", false), value("drop", false)],
            };
            let text = GuidelineText { introduction: Texts::default(), rules: Vec::new() };
            let guideline =
                Guideline { attribute, current: None, text: text.clone(), draft: None, history: Vec::new() };
            let state = DraftState::new(&guideline, Language::English);
            assert!(!state.is_dirty());
            state.move_rule(0, true);
            assert!(!state.is_dirty(), "the first rule cannot go up");
            state.move_rule(0, false);
            assert!(state.is_dirty());
            assert_eq!(state.edit().rules[0].value, "drop");
            let now = OffsetDateTime::UNIX_EPOCH;
            state
                .saved_as(state.edit(), &Draft { text, change_note: String::new(), created_by: None, updated_at: now });
            assert!(!state.is_dirty());
            assert_eq!(state.edit().based_on, Some(now));
            assert_eq!(state.missing(Language::Japanese), 3);
            state.introduction.update(|texts| set_text(texts, Language::Japanese, "耳".into()));
            assert!(state.is_dirty());
            assert_eq!((state.missing(Language::Japanese), state.missing(Language::English)), (2, 3));
        });
    }
}
