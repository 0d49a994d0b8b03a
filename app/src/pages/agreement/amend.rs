//! Which photos become examples of the next version, and of which values.

use std::collections::BTreeMap;

use kenami_domain::{
    answer::Answer,
    roles::Role,
    schema::Attribute,
    view::{guidelines::AmendExample, review::Disagreement},
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_navigate;

use crate::{
    api::{ApiError, guidelines::amend},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
    },
    pages::disagreements::tally,
};

/// The pair whose photos show.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// Attribute key.
    pub attribute: String,
    /// One answer key.
    pub a: String,
    /// The other.
    pub b: String,
}

impl Pair {
    /// The value keys that a photo can be an example of: those of the pair; where neither is a value, all on offer.
    pub fn sides(&self, attribute: &Attribute) -> Vec<String> {
        let offered = attribute.values.iter().filter(|value| !value.retired).map(|value| value.key.clone());
        let (of_pair, others): (Vec<String>, Vec<String>) = offered.partition(|key| *key == self.a || *key == self.b);
        if of_pair.is_empty() { others } else { of_pair }
    }
}

/// What is known of the value that a photo shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A reviewer has decided it.
    Decided(String),
    /// A reviewer has decided that it shows none: it is no example.
    NoValue(Answer),
    /// More votes are for this one of the sides than for any other.
    Majority(String),
    /// The lead says it.
    Open,
}

impl Side {
    /// What decision and votes say.
    pub fn of(one: &Disagreement, sides: &[String]) -> Self {
        match &one.decision {
            Some(decision) => match &decision.answer {
                Answer::Value(value) => Self::Decided(value.clone()),
                other => Self::NoValue(other.clone()),
            },
            None => {
                let mut votes = tally(&one.votes);
                votes.retain(|(answer, _)| answer.value().is_some_and(|value| sides.iter().any(|side| side == value)));
                match votes.as_slice() {
                    [(first, most), (_, next), ..] if most > next => Self::Majority(first.key().to_owned()),
                    [(first, _)] => Self::Majority(first.key().to_owned()),
                    _ => Self::Open,
                }
            }
        }
    }

    /// The value that is taken where the lead says nothing.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::Decided(value) | Self::Majority(value) => Some(value.clone()),
            Self::NoValue(_) | Self::Open => None,
        }
    }
}

/// The chosen photos with the value that each shows. Copies are handles to the same.
#[derive(Clone, Copy, Default)]
pub struct Selection(RwSignal<BTreeMap<i64, Option<String>>>);

impl Selection {
    /// Whether a photo is chosen.
    pub fn has(self, photo_id: i64) -> bool {
        self.0.with(|chosen| chosen.contains_key(&photo_id))
    }

    /// The value that a chosen photo shows.
    pub fn side(self, photo_id: i64) -> Option<String> {
        self.0.with(|chosen| chosen.get(&photo_id).cloned().flatten())
    }

    /// Chooses a photo.
    pub fn choose(self, photo_id: i64, side: Option<String>) {
        self.0.update(|chosen| drop(chosen.insert(photo_id, side)));
    }

    /// Leaves a photo out again.
    pub fn leave(self, photo_id: i64) {
        self.0.update(|chosen| drop(chosen.remove(&photo_id)));
    }

    /// Leaves all out.
    pub fn clear(self) {
        self.0.set(BTreeMap::new());
    }

    fn count(self) -> i64 {
        self.0.with(|chosen| chosen.len() as i64)
    }

    /// Chosen photos whose value nobody has said.
    fn open(self) -> i64 {
        self.0.with(|chosen| chosen.values().filter(|side| side.is_none()).count() as i64)
    }

    fn examples(self) -> Vec<AmendExample> {
        let example =
            |(photo_id, value): (&i64, &Option<String>)| AmendExample { photo_id: *photo_id, value: value.clone() };
        self.0.with_untracked(|chosen| chosen.iter().map(example).collect())
    }
}

/// What is chosen, and the way to the next version of the rule.
#[component]
pub fn AmendBar(
    /// The project's key.
    key: String,
    /// The pair.
    pair: Pair,
    /// The chosen photos.
    selection: Selection,
    /// The photos that show.
    shown: Vec<Disagreement>,
    /// The sides that can be chosen.
    sides: Vec<String>,
    /// The reader's role.
    role: Role,
) -> impl IntoView {
    let navigate = use_navigate();
    let busy = RwSignal::new(false);
    let error = RwSignal::new(None::<ApiError>);
    let place = StoredValue::new((key, pair));
    let go = move |_| {
        let navigate = navigate.clone();
        let (key, pair) = place.get_value();
        let examples = selection.examples();
        busy.set(true);
        spawn_local(async move {
            let amended = amend(key.clone(), pair.attribute.clone(), examples).await;
            busy.set(false);
            match amended {
                Ok(_) => {
                    let Pair { attribute, a, b } = pair;
                    navigate(&format!("/p/{key}/guidelines/{attribute}?edit=yes&a={a}&b={b}"), Default::default());
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    let all = move |_| {
        for one in &shown {
            let side = Side::of(one, &sides);
            if !matches!(side, Side::NoValue(_)) && !selection.has(one.photo.id) {
                selection.choose(one.photo.id, side.value());
            }
        }
    };
    let disabled = Signal::derive(move || selection.count() == 0 || selection.open() > 0);
    let said = move || match (selection.count(), selection.open()) {
        (0, _) => t!("Choose photos that show the difference: they become examples of the next version.").to_owned(),
        (chosen, 0) => n!(chosen, "{count} photo chosen", "{count} photos chosen"),
        (_, open) => n!(open, "Say which value {count} photo shows", "Say which value {count} photos show"),
    };
    (role >= Role::Lead).then(|| {
        view! {
            <ErrorAlert error/>
            <div class="editor-bar" role="region" aria-label=t!("Chosen photos")>
                <span aria-live="polite">{said}</span>
                <span class="row">
                    <Button weight=Weight::Quiet disabled=Signal::derive(move || selection.count() == 0) on:click=move |_| selection.clear()>{t!("Choose none")}</Button>
                    <Button on:click=all>{t!("Choose all on this page")}</Button>
                    <Button weight=Weight::Primary busy disabled on:click=go>{t!("Amend the rule")}</Button>
                </span>
            </div>
        }
    })
}

#[cfg(test)]
mod tests {
    use kenami_domain::view::{
        photo::PhotoCard,
        review::{Cause, Decision, Vote},
    };
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_decision_goes_before_the_votes_and_a_tie_is_open() {
        let at = datetime!(2026-11-27 08:00 UTC);
        let one = |answers: &[&str], decided: Option<&str>| Disagreement {
            photo: PhotoCard { id: 1, name: "a.jpg".into(), width: 1, height: 1, given: Default::default() },
            attribute: "ear".into(),
            votes: answers
                .iter()
                .map(|answer| Vote {
                    annotator: "x".into(),
                    answer: (*answer).into(),
                    note: String::new(),
                    guideline_version: None,
                    duration_ms: None,
                    gold: false,
                    created_at: at,
                })
                .collect(),
            decision: decided.map(|answer| Decision {
                answer: answer.into(),
                cause: Cause::RuleGap,
                reason: String::new(),
                reviewer: "z".into(),
                created_at: at,
            }),
            opinion: None,
        };
        let sides = ["drop".to_owned(), "semi_erect".to_owned()];
        let side = |answers: &[&str], decided| Side::of(&one(answers, decided), &sides);
        let drop = || "drop".to_owned();
        assert_eq!(side(&["drop", "semi_erect"], None), Side::Open);
        assert_eq!(side(&["semi_erect", "drop", "drop", "erect", "erect", "erect"], None), Side::Majority(drop()));
        assert_eq!(side(&["unsure", "drop"], None), Side::Majority(drop()));
        assert_eq!(side(&["semi_erect"], Some("drop")), Side::Decided(drop()));
        assert_eq!(side(&["drop"], Some("erect")), Side::Decided("erect".to_owned()));
        assert_eq!(side(&["drop"], Some("not_visible")), Side::NoValue(Answer::NotVisible));
    }
}
