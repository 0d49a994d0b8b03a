//! Votes side by side, and the rules of the answers that they stand for.

use kenami_domain::{
    answer::Answer,
    schema::Attribute,
    view::{
        guidelines::Guideline,
        review::{Decision, Vote},
    },
};
use leptos::{either::Either, prelude::*};

use crate::{
    components::{
        markdown::{Markdown, Translated},
        photo::{Variant, media_url},
        time::Ago,
    },
    text,
};

/// The answers that were given with the votes for each, most votes first; equal ones in the order in which they came.
pub fn tally(votes: &[Vote]) -> Vec<(Answer, usize)> {
    let mut counts: Vec<(Answer, usize)> = Vec::new();
    for vote in votes {
        match counts.iter_mut().find(|(answer, _)| *answer == vote.answer) {
            Some((_, count)) => *count += 1,
            None => counts.push((vote.answer.clone(), 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// Each vote with its note, side by side.
#[component]
pub fn Votes(
    /// The votes.
    votes: Vec<Vote>,
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    let language = text::language();
    let cards = votes
        .into_iter()
        .map(|vote| {
            let mut facts = Vec::new();
            facts.extend(vote.guideline_version.map(|version| t!("guideline version {version}", version = version)));
            facts.extend(vote.gold.then(|| t!("on gold, no vote").to_owned()));
            facts.extend(vote.duration_ms.map(|ms| text::duration(f64::from(ms))));
            view! {
                <li class="vote">
                    <span class="quiet">{vote.annotator}</span>
                    <b>{text::answer_name(&attribute, &vote.answer, language)}</b>
                    {(!vote.note.is_empty()).then(|| view! { <q>{vote.note.clone()}</q> })}
                    <span class="quiet vote-facts">{facts.join(t!(", "))}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="votes" aria-label=t!("Votes")>{cards}</ul> }
}

/// The rules of the values that were voted for, side by side; the attribute's introduction above.
#[component]
pub fn DisputedRules(
    /// The votes.
    votes: Vec<Vote>,
    /// The attribute's guideline.
    guide: Guideline,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let language = text::language();
    let introduction = guide.text.introduction.clone();
    let rules = tally(&votes)
        .into_iter()
        .filter_map(|(answer, _)| {
            let value = answer.value()?.to_owned();
            let rule = guide.text.rules.iter().find(|rule| rule.value == value);
            let texts = rule.map(|rule| rule.rule.clone()).filter(|texts| texts.get(language).is_some());
            let examples = rule
                .into_iter()
                .flat_map(|rule| &rule.examples)
                .map(|example| {
                    view! {
                        <img
                            class="disputed-example"
                            src=media_url(&key, example.photo.id, Variant::Thumbnail)
                            alt=example.caption.clone()
                            title=example.caption.clone()
                            width="72"
                            height="72"
                            loading="lazy"
                        />
                    }
                })
                .collect_view();
            Some(view! {
                <div class="disputed-rule">
                    <h3>{text::value_name(&guide.attribute, &value, language)}</h3>
                    {match texts {
                        Some(texts) => Either::Left(view! { <Translated texts/> }),
                        None => Either::Right(view! { <Markdown text=t!("*No rule is written for this value.*").to_owned()/> }),
                    }}
                    <div class="row">{examples}</div>
                </div>
            })
        })
        .collect_view();
    let href = format!("/p/{key}/guidelines/{}", guide.attribute.key);
    let version = guide
        .current
        .as_ref()
        .map_or(t!("no version").to_owned(), |current| t!("version {version}", version = current.version));
    view! {
        <section class="stack-s" aria-label=t!("Rules")>
            <div class="row row-apart">
                <h2>{t!("The rules")}</h2>
                <a href=href>{t!("Guideline, {version}", version = version)}</a>
            </div>
            <div class="disputed-rules">{rules}</div>
            {(!introduction.0.is_empty()).then(|| view! {
                <details>
                    <summary>{t!("What to look at")}</summary>
                    <Translated texts=introduction/>
                </details>
            })}
        </section>
    }
}

/// The decision that stands.
#[component]
pub fn Standing(
    /// The decision.
    decision: Decision,
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    view! {
        <div class="alert alert-good standing" role="status">
            <p>
                {t!("Decided:")} " "
                <b>{text::answer_name(&attribute, &decision.answer, text::language())}</b>
                {format!(" ({})", super::decide::cause_name(decision.cause))}
            </p>
            {(!decision.reason.is_empty()).then(|| view! { <p>{decision.reason.clone()}</p> })}
            <p class="quiet">{text::arranged(t!("by {person}, {time}"), [("person", decision.reviewer.into_any()), ("time", view! { <Ago at=decision.created_at/> }.into_any())])}</p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn votes_are_counted_per_answer() {
        let votes: Vec<Vote> = ["drop", "erect", "unsure", "erect"]
            .into_iter()
            .map(|answer| Vote {
                annotator: "x".into(),
                answer: answer.into(),
                note: String::new(),
                guideline_version: None,
                duration_ms: None,
                gold: false,
                created_at: datetime!(2026-11-24 08:00 UTC),
            })
            .collect();
        assert_eq!(tally(&votes), [("erect".into(), 2), ("drop".into(), 1), (Answer::Unsure, 1)]);
    }
}
