//! What is asked, what waits, and what can be done with the screen.

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE},
    schema::AttributeValue,
    view::guidelines::Guideline,
};
use leptos::{ev, prelude::*, wasm_bindgen::JsCast};

use super::{
    Desk,
    session::{Event, Mark, Session, Shown},
};
use crate::{
    components::{
        button::{Button, Weight},
        dialog::Dialog,
        keys::value_key,
        markdown::Translated,
        photo::{PhotoImage, Variant},
    },
    pages::annotate::pending::{Pending, PendingLine},
    text,
};

/// The values of an attribute that are on offer.
fn offered(guide: &Guideline) -> impl Iterator<Item = &AttributeValue> {
    guide.attribute.values.iter().filter(|value| !value.retired)
}

/// The attributes, the values with what waits under each, and the rule of the value on the screen.
#[component]
pub fn Head() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let session = desk.driver.session;
    let language = text::language();
    let attributes = desk.guides.with_value(|guides| {
        guides.iter().map(|guide| text::attribute_name(&guide.attribute, language)).collect::<Vec<_>>()
    });
    let chosen = Memo::new(move |_| session.with(Session::attribute));
    let tabs = attributes
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            view! {
                <button
                    type="button" class="chip" aria-pressed=move || if chosen.get() == index { "true" } else { "false" }
                    on:click=move |event| {
                        give_keys_back(&event);
                        desk.driver.send(Event::Attribute(index));
                    }
                >
                    {name}
                </button>
            }
        })
        .collect_view();
    let value = Memo::new(move |_| session.with(|s| s.shown().map(|shown| shown.value().to_owned())));
    let waiting = Memo::new(move |_| session.with(|s| s.waiting().to_vec()));
    let values = move || {
        let Some(guide) = desk.guide() else { return Vec::new() };
        let waiting = waiting.get();
        // "Not visible" only where some model suggests it.
        let is_suggested =
            waiting.iter().any(|w| w.value == NOT_VISIBLE) || value.get().as_deref() == Some(NOT_VISIBLE);
        let unseen = is_suggested.then(|| (NOT_VISIBLE.to_owned(), t!("Not visible").to_owned()));
        offered(&guide)
            .map(|offered| (offered.key.clone(), offered.names.or_key(language, &offered.key).to_owned()))
            .chain(unseen)
            .map(|(key, name)| {
                let left = waiting.iter().find(|w| w.value == key).map_or(0, |w| w.photos);
                let (mine, wish) = (key.clone(), key);
                let pressed = Memo::new(move |_| value.with(|value| value.as_ref() == Some(&mine)));
                view! {
                    <button
                        type="button" class="chip" disabled=move || left == 0 && !pressed.get()
                        aria-pressed=move || if pressed.get() { "true" } else { "false" }
                        on:click=move |event| {
                            give_keys_back(&event);
                            desk.driver.send(Event::Value(wish.clone()));
                        }
                    >
                        {name}" "<span class="chip-count numeric">{waiting_count(left)}</span>
                    </button>
                }
            })
            .collect::<Vec<_>>()
    };
    let rule = move || {
        let (guide, value) = (desk.guide()?, value.get()?);
        let rule = guide.text.rules.iter().find(|rule| rule.value == value)?;
        Some(rule.rule.clone()).filter(|texts| texts.get(language).is_some())
    };
    view! {
        <div class="grid-head">
            <div class="grid-choice" role="group" aria-label=t!("Attribute")>{tabs}</div>
            <div class="grid-choice" role="group" aria-label=t!("Suggested value")>{values}</div>
            <div class="grid-tools">
                <Saves/>
                <Tools/>
            </div>
        </div>
        {move || rule().map(|rule| view! {
            <details class="grid-rule">
                <summary>{t!("The rule for this value")}</summary>
                <Translated texts=rule/>
            </details>
        })}
    }
}

/// After a click with a pointer the keys belong to the screen again: Enter accepts it, and does not press the same button once
/// more. Who pressed it by the keyboard stays there.
fn give_keys_back(event: &ev::MouseEvent) {
    if event.detail() > 0
        && let Some(pressed) = event.current_target().and_then(|target| target.dyn_into::<web_sys::HtmlElement>().ok())
    {
        let _ = pressed.blur();
    }
}

/// Counted up to the store's limit.
fn waiting_count(photos: i64) -> String {
    if photos >= kenami_domain::view::grid::Waiting::MOST {
        format!("{}+", text::number(photos))
    } else {
        text::number(photos)
    }
}

/// What has been answered and what is on its way.
#[component]
fn Saves() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let session = desk.driver.session;
    let pending = Memo::new(move |_| session.with(|session| Pending::of(session.outbox())));
    let answered = Memo::new(move |_| session.with(Session::answered));
    let answers = move || n!(answered.get(), "{count} answer", "{count} answers");
    view! {
        <p class="grid-saves">
            <PendingLine
                pending keeping=desk.driver.keeping sign_in=format!("/sign-in?next=/p/{}/grid", desk.driver.key())
                saved=move || t!("{answers}, all saved", answers = answers()) saving=move |_| t!("{answers}, saving", answers = answers())
                waiting=|screens| n!(screens, "{count} screen", "{count} screens")
            />
        </p>
    }
}

/// Looking closer, taking back, and the list of keys.
#[component]
fn Tools() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let session = desk.driver.session;
    let can_undo = Memo::new(move |_| session.with(Session::can_undo));
    let none = Memo::new(move |_| session.with(|s| s.shown().and_then(Shown::cursor).is_none()));
    view! {
        <Button weight=Weight::Quiet disabled=Signal::from(none) on:click=move |_| desk.look_open.set(true)>{t!("Look")} " " <kbd>{desk.key_of("look")}</kbd></Button>
        <Button
            weight=Weight::Quiet
            disabled=Signal::derive(move || !can_undo.get())
            on:click=move |_| desk.driver.send(Event::Undo)
        >
            {t!("Undo")} " " <kbd>{desk.key_of("undo")}</kbd>
        </Button>
        <Button weight=Weight::Quiet on:click=move |_| desk.keys_open.set(true)>{t!("Keys")} " " <kbd>"?"</kbd></Button>
    }
}

/// The answers for the photo at the cursor, and the screen's own button.
#[component]
pub fn ActionBar() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let driver = desk.driver;
    let session = driver.session;
    let language = text::language();
    let open = Memo::new(move |_| session.with(|s| s.shown().is_some()));
    let pointed = Memo::new(move |_| session.with(|s| s.shown().and_then(Shown::cursor)));
    let mark = Memo::new(move |_| {
        session.with(|s| {
            let shown = s.shown()?;
            let index = shown.cursor()?;
            let suggested = Mark::Answer(shown.suggested());
            Some(shown.mark_of(index).cloned().unwrap_or(suggested))
        })
    });
    let none = Signal::derive(move || pointed.get().is_none());
    let answers = move || {
        let Some(guide) = desk.guide() else { return Vec::new() };
        let values = offered(&guide).enumerate().map(|(index, value)| {
            let name = value.names.or_key(language, &value.key).to_owned();
            (
                Mark::Answer(Answer::Value(value.key.clone())),
                name,
                desk.layout.with_value(|layout| value_key(layout, index)),
            )
        });
        let special = [
            (Mark::Answer(Answer::NotVisible), t!("Not visible"), "not-visible"),
            (Mark::Answer(Answer::Unsure), t!("Unsure"), "unsure"),
            (Mark::Later, t!("Later"), "later"),
        ];
        let special = special.map(|(mark, name, id)| (mark, name.to_owned(), Some(desk.key_of(id))));
        values
            .chain(special)
            .map(|(answer, name, key)| {
                let (mine, wish) = (answer.clone(), answer);
                let shortcut = key.clone();
                let chosen = Memo::new(move |_| mark.get().as_ref() == Some(&mine));
                view! {
                    <button
                        type="button" class="answer" disabled=none
                        aria-pressed=move || if chosen.get() { "true" } else { "false" }
                        aria-keyshortcuts=shortcut
                        on:click=move |_| {
                            driver.send(Event::Mark(wish.clone()));
                            // Enter must mean "accept" afterwards, not "this button again".
                            super::focus_room();
                        }
                    >
                        {key.map(|key| view! { <kbd aria-hidden="true">{key}</kbd> })}
                        <span>{name}</span>
                    </button>
                }
            })
            .collect::<Vec<_>>()
    };
    let accept = move || {
        session.with(|s| {
            let shown = s.shown()?;
            let rest = shown.photos().len() - shown.marked();
            let name = desk.guide().map(|guide| text::value_name(&guide.attribute, shown.value(), language))?;
            Some(match (rest, shown.marked()) {
                (rest, 0) => t!("All {count} are {name}", count = rest, name = name),
                (0, marked) => t!("Save {marked} marked", marked = marked),
                (rest, marked) => t!("{count} are {name}, {marked} marked", count = rest, name = name, marked = marked),
            })
        })
    };
    view! {
        <div class="grid-actions" hidden=move || !open.get()>
            <p class="grid-pointed quiet">
                {move || match pointed.get() {
                    Some(index) => t!("Photo {name}", name = index + 1),
                    None => t!("Point at an exception: its number, arrows, or a click").to_owned(),
                }}
            </p>
            <div class="grid-answers" role="group" aria-label=t!("Answer of the photo that is pointed at")>{answers}</div>
            <div class="grid-buttons">
                <Button weight=Weight::Primary on:click=move |_| driver.send(Event::Accept)>
                    {accept} " " <kbd>{desk.key_of("accept")}</kbd>
                </Button>
            </div>
        </div>
    }
}

/// The photo at the cursor, large.
#[component]
pub fn Look() -> impl IntoView {
    let desk = expect_context::<Desk>();
    view! {
        <Dialog open=desk.look_open title=t!("Photo") wide=true>
            {move || desk.pointed().map(|photo| view! {
                <PhotoImage project_key=desk.driver.key() photo variant=Variant::Web class="grid-large" eager=true/>
            })}
        </Dialog>
    }
}

/// Screens whose answers the server refused, each with the reason.
#[component]
pub fn Refused() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let refused = Memo::new(move |_| desk.driver.session.with(|s| s.outbox().refused()));
    view! {
        <div role="alert">
            <For each=move || refused.get() key=|(pending, _)| pending.key let:((pending, reason))>
                <div class="alert alert-bad grid-refused">
                    <p>
                        {n!(
                            pending.submission.answers.len() as i64,
                            "{count} answer was not saved: {reason} The photos come again.",
                            "{count} answers were not saved: {reason} The photos come again.",
                            reason = reason
                        )}
                    </p>
                    <Button weight=Weight::Quiet on:click=move |_| desk.driver.send(Event::Discard(pending.key))>{t!("Close")}</Button>
                </div>
            </For>
        </div>
    }
}
