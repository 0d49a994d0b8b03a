//! Progress, what is being saved, what was refused, and the page's settings.

use leptos::{prelude::*, task::spawn_local};

use super::{
    Desk,
    pending::{Pending, PendingLine},
    session::{Event, Record, Session},
};
use crate::{
    api::people::save_auto_advance,
    components::{
        button::{Button, Weight},
        photo::{Variant, media_url},
        progress::ProgressBar,
    },
    text,
};

/// Progress, the state of saving, undo, guideline, keys and the setting.
#[component]
pub fn StatusBar() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let driver = desk.driver;
    let session = driver.session;
    let progress = Memo::new(move |_| session.with(Session::progress));
    let pending = Memo::new(move |_| session.with(|session| Pending::of(session.outbox())));
    let can_undo = Memo::new(move |_| session.with(Session::can_undo));
    let auto = Memo::new(move |_| session.with(Session::auto_advance));
    let set_auto = move |event| {
        let on = event_target_checked(&event);
        driver.send(Event::AutoAdvance(on));
        // Holds for this visit in any case.
        spawn_local(async move {
            let _ = save_auto_advance(on).await;
        });
    };
    let sign_in = move || format!("/sign-in?next=/p/{}/annotate", driver.key());
    view! {
        <div class="status">
            <ProgressBar
                done=Signal::derive(move || progress.get().done)
                total=Signal::derive(move || progress.get().done + progress.get().open)
                label=t!("Your photos")
            />
            <div class="status-line">
                <span class="numeric">
                    {move || {
                        let progress = progress.get();
                        t!("{done} done, {open} open", done = text::number(progress.done), open = text::number(progress.open))
                    }}
                </span>
                <label class="check status-auto" title=t!("Go to the next photo by itself once every attribute has an answer")>
                    <input type="checkbox" prop:checked=move || auto.get() on:change=set_auto/>
                    {t!("auto next")}
                </label>
                <PendingLine
                    pending keeping=driver.keeping sign_in=sign_in()
                    saved=|| t!("all saved").to_owned() saving=|n| t!("saving {count}", count = n) waiting=|n| text::number(n)
                />
            </div>
            <div class="status-line status-tools">
                <Button
                    weight=Weight::Quiet
                    disabled=Signal::derive(move || !can_undo.get())
                    on:click=move |_| driver.send(Event::Undo)
                >
                    {t!("Undo")} " " <kbd>{desk.key_of("undo")}</kbd>
                </Button>
                <button
                    type="button"
                    class="button button-quiet"
                    aria-expanded=move || if desk.guide_open.get() { "true" } else { "false" }
                    aria-controls="guide"
                    on:click=move |_| desk.guide_open.update(|open| *open = !*open)
                >
                    {t!("Guideline")} " " <kbd>{desk.key_of("guideline")}</kbd>
                </button>
                <button
                    type="button"
                    class="button button-quiet"
                    aria-expanded=move || if desk.examples_open.get() { "true" } else { "false" }
                    aria-controls="examples"
                    on:click=move |_| desk.examples_open.update(|open| *open = !*open)
                >
                    {t!("Examples")} " " <kbd>{desk.key_of("examples")}</kbd>
                </button>
                <Button weight=Weight::Quiet on:click=move |_| desk.keys_open.set(true)>{t!("Keys")} " " <kbd>"?"</kbd></Button>
            </div>
            <News/>
        </div>
    }
}

/// Guidelines that changed while the page was open.
#[component]
fn News() -> impl IntoView {
    let driver = expect_context::<Desk>().driver;
    view! {
        <div role="status">
            {move || driver.news.get().into_iter().map(|(name, change)| {
                let closed = name.clone();
                view! {
                    <div class="alert alert-note news">
                        <span>{t!("New guideline for {name}, {change}", name = name, change = change)}</span>
                        <button
                            type="button"
                            class="button button-quiet"
                            aria-label=t!("Close")
                            on:click=move |_| driver.news.update(|news| news.retain(|(name, _)| *name != closed))
                        >
                            "✕"
                        </button>
                    </div>
                }
            }).collect_view()}
        </div>
    }
}

/// Photos whose answers the server refused, each with the reason and what to do.
#[component]
pub fn Refused() -> impl IntoView {
    let driver = expect_context::<Desk>().driver;
    let refused = Memo::new(move |_| driver.session.with(|session| session.outbox().refused()));
    view! {
        <div class="refused" role="alert">
            <For
                each=move || refused.get()
                key=|(record, _): &(Record, String)| record.submission.idempotency_key
                let:((record, reason))
            >
                {
                    let id = record.submission.idempotency_key;
                    let photo = record.photo.photo;
                    view! {
                        <div class="alert alert-bad refused-one">
                            <img src=media_url(&driver.key(), photo.id, Variant::Thumbnail) alt=photo.name.clone() width="56" height="56"/>
                            <div class="stack-s">
                                <p>{text::arranged(t!("{photo} was not saved: {reason}"), [("photo", view! { <b>{photo.name.clone()}</b> }.into_any()), ("reason", reason.into_any())])}</p>
                                <div class="row">
                                    <Button on:click=move |_| driver.send(Event::Rework(id))>{t!("Answer again")}</Button>
                                    <Button weight=Weight::Quiet on:click=move |_| driver.send(Event::Discard(id))>{t!("Discard")}</Button>
                                </div>
                            </div>
                        </div>
                    }
                }
            </For>
        </div>
    }
}
