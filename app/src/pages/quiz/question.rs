//! A photo of the quiz, its questions, and the rules beside them.

use kenami_domain::{answer::Answer, schema::Attribute};
use leptos::prelude::*;

use super::desk::Desk;
use crate::{
    components::{
        keys::{key_of, value_key},
        photo::{Variant, media_url},
    },
    pages::annotate::guide,
    text,
};

/// The photo as large as the window allows.
#[component]
pub fn Photo() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let photo = Memo::new(move |_| desk.question.with(|question| question.as_ref().map(|q| q.photo.clone())));
    move || {
        photo.get().map(|photo| {
            view! {
                <img
                    class="stage-photo stage-photo-shown"
                    src=media_url(&desk.key.get_value(), photo.id, Variant::Web)
                    width=photo.width.to_string()
                    height=photo.height.to_string()
                    alt=t!("Photo {name}", name = photo.name)
                    draggable="false"
                />
                <p class="stage-caption">{photo.name}</p>
            }
        })
    }
}

/// The attributes that are asked.
#[component]
pub fn Panel() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let asked = Memo::new(move |_| desk.asked());
    view! {
        <div class="panel" role="group" aria-label=t!("Answers")>
            {move || asked.get().into_iter().enumerate().map(|(index, attribute)| {
                view! { <Ask index attribute/> }
            }).collect_view()}
        </div>
    }
}

#[component]
fn Ask(
    /// The attribute's index among those that are asked.
    index: usize,
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let language = text::language();
    let key = attribute.key.clone();
    let given = Memo::new(move |_| desk.answers.with(|answers| answers.get(&key).cloned()));
    let in_focus = Memo::new(move |_| desk.focus.get() == index);
    let name = text::attribute_name(&attribute, language);
    let label = name.clone();
    let values = attribute
        .values
        .iter()
        .filter(|value| !value.retired)
        .enumerate()
        .map(|(place, value)| {
            let name = value.names.or_key(language, &value.key).to_owned();
            view! { <Choice index answer=Answer::Value(value.key.clone()) name key=desk.layout.with_value(|layout| value_key(layout, place)) given/> }
        })
        .collect_view();
    let special = [(Answer::NotVisible, t!("Not visible"), "not-visible"), (Answer::Unsure, t!("Unsure"), "unsure")]
        .map(|(answer, name, id)| {
            let key = desk.layout.with_value(|layout| key_of(layout, id));
            view! { <Choice index answer name=name.to_owned() key=Some(key) given/> }
        })
        .collect_view();
    view! {
        <div
            class="ask"
            class:ask-in-focus=in_focus
            role="group"
            aria-label=label
            aria-current=move || in_focus.get().then_some("step")
        >
            <div class="ask-head" on:click=move |_| desk.focus.set(index)><span class="ask-name">{name}</span></div>
            <div class="ask-answers">{values}</div>
            <div class="ask-special">{special}</div>
        </div>
    }
}

#[component]
fn Choice(
    /// The attribute's index.
    index: usize,
    /// The answer.
    answer: Answer,
    /// What it is called.
    name: String,
    /// Its key.
    key: Option<String>,
    /// The answer that is given.
    given: Memo<Option<Answer>>,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let special = answer.value().is_none();
    let shortcut = key.clone();
    let (mine, chosen) = (answer.clone(), Memo::new(move |_| given.get().as_ref() == Some(&answer)));
    let choose = move |_| {
        desk.focus.set(index);
        desk.answer(mine.clone());
    };
    view! {
        <button
            type="button"
            class="answer"
            class:answer-special=special
            disabled=desk.busy
            aria-pressed=move || if chosen.get() { "true" } else { "false" }
            aria-keyshortcuts=shortcut
            on:click=choose
        >
            {key.map(|key| view! { <kbd aria-hidden="true">{key}</kbd> })}
            <span>{name}</span>
        </button>
    }
}

/// The guideline of the attribute in focus.
#[component]
pub fn Rules() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let shown = Memo::new(move |_| desk.asked().get(desk.focus.get()).map(|attribute| attribute.key.clone()));
    view! {
        <section class="guide" tabindex="0" aria-label=t!("Guideline")>
            {move || {
                let guide = desk.guides.with_value(|guides| {
                    guides.iter().find(|guide| Some(&guide.attribute.key) == shown.get().as_ref()).cloned()
                });
                guide.map(|guide| view! { <div class="guide-one"><guide::Rules guide key=desk.key.get_value()/></div> })
            }}
        </section>
    }
}
