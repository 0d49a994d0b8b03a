//! A photo of a confused pair: the camps' counts, notes, the way to its review, and whether it becomes an example.

use kenami_domain::{
    answer::Answer,
    schema::Attribute,
    view::review::{Disagreement, QueueCause},
};
use leptos::{either::Either, prelude::*};

use super::amend::{Pair, Selection, Side};
use crate::{
    components::photo::PhotoImage,
    pages::disagreements::{Filter, tally},
    text,
};

/// One photo. `selectable` where it can be chosen.
#[component]
pub fn CampTile(
    /// The photo with its votes.
    one: Disagreement,
    /// The attribute.
    attribute: Attribute,
    /// The pair.
    pair: Pair,
    /// The sides that can be chosen.
    sides: Vec<String>,
    /// What is chosen.
    selection: Selection,
    /// The reader can choose.
    selectable: bool,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let language = text::language();
    let (id, name) = (one.photo.id, one.photo.name.clone());
    let side = Side::of(&one, &sides);
    let camps = tally(&one.votes)
        .into_iter()
        .map(|(answer, count)| {
            let in_pair = answer.key() == pair.a || answer.key() == pair.b;
            let name = text::answer_name(&attribute, &answer, language);
            view! { <li class:quiet=!in_pair>{name}<b class="numeric">{format!(" {count}")}</b></li> }
        })
        .collect_view();
    let notes = one
        .votes
        .iter()
        .filter(|vote| vote.answer == Answer::Unsure && !vote.note.is_empty())
        .map(|vote| view! { <q class="camp-note">{vote.note.clone()}</q> })
        .collect_view();
    let decided = one.decision.as_ref().map(|decision| {
        view! { <span class="badge badge-good">{t!("decided: {answer}", answer = text::answer_name(&attribute, &decision.answer, language))}</span> }
    });
    let filter = Filter {
        cause: QueueCause::Differ,
        attribute: Some(pair.attribute.clone()),
        pair: Some((pair.a.clone(), pair.b.clone())),
        decided: true,
        errors: None,
    };
    let review = format!("/p/{key}/disagreements{}", filter.href_of(id, &pair.attribute));
    let no_value = matches!(side, Side::NoValue(_));
    let fixed = matches!(side, Side::Decided(_));
    let picture = view! { <PhotoImage project_key=key photo=one.photo class="tile-photo" alt=name.clone()/> };
    let chosen = Signal::derive(move || selection.has(id));
    let first = side.value();
    let toggle = move |on: bool| if on { selection.choose(id, first.clone()) } else { selection.leave(id) };
    let head = if selectable && !no_value {
        Either::Left(view! {
            <label class="camp-photo">
                <input type="checkbox" aria-label=t!("Choose {name}", name = name) prop:checked=chosen on:change:target=move |event| toggle(event.target().checked())/>
                {picture}
            </label>
        })
    } else {
        Either::Right(view! { <div class="camp-photo">{picture}</div> })
    };
    let sides = StoredValue::new((sides, attribute));
    let pick = move || {
        (chosen.get() && !fixed).then(|| {
            let (sides, attribute) = sides.get_value();
            let buttons = sides
                .into_iter()
                .map(|side| {
                    let (mine, set) = (side.clone(), side.clone());
                    view! {
                        <button
                            type="button" class="chip" aria-pressed=move || (selection.side(id).as_ref() == Some(&mine)).to_string()
                            on:click=move |_| selection.choose(id, Some(set.clone()))
                        >{text::value_name(&attribute, &side, language)}</button>
                    }
                })
                .collect_view();
            view! { <div class="camp-sides" role="group" aria-label=t!("What it shows")>{buttons}</div> }
        })
    };
    view! {
        <li class="card camp" class:camp-chosen=chosen>
            {head}
            <ul class="dispute-answers">{camps}</ul>
            {notes}
            {decided}
            {pick}
            <a href=review aria-label=t!("Review {name}", name = name)>{t!("Review")}</a>
        </li>
    }
}
