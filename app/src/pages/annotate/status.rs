//! Progress, what is being saved, what was refused, and the page's settings.

use leptos::{either::EitherOf4, prelude::*};

use super::{
    Desk, mirror,
    session::{Event, Record, Session},
};
use crate::{
    components::{
        button::{Button, Weight},
        photo::{Variant, media_url},
        progress::ProgressBar,
    },
    text,
};

/// What the save line says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Saves {
    /// The server has everything.
    All,
    /// So many photos are on their way.
    Saving(usize),
    /// So many photos wait for the server to be reached.
    Waiting(usize),
    /// So many photos wait for a sign-in.
    SignedOut(usize),
}

impl Saves {
    fn of(session: &Session) -> Self {
        let outbox = session.outbox();
        match outbox.unsaved() {
            0 => Self::All,
            n if outbox.signed_out() => Self::SignedOut(n),
            n if outbox.in_trouble() => Self::Waiting(n),
            n => Self::Saving(n),
        }
    }
}

/// Progress, the state of saving, undo, guideline, keys and the setting.
#[component]
pub fn StatusBar() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let driver = desk.driver;
    let session = driver.session;
    let progress = Memo::new(move |_| session.with(Session::progress));
    let saves = Memo::new(move |_| session.with(Saves::of));
    let can_undo = Memo::new(move |_| session.with(Session::can_undo));
    let auto = Memo::new(move |_| session.with(Session::auto_advance));
    let set_auto = move |event| {
        let on = event_target_checked(&event);
        mirror::set_auto_advance(on);
        driver.send(Event::AutoAdvance(on));
    };
    let sign_in = move || format!("/sign-in?next=/p/{}/annotate", driver.key());
    view! {
        <div class="status">
            <ProgressBar
                done=Signal::derive(move || progress.get().done)
                total=Signal::derive(move || progress.get().done + progress.get().open)
                label="Your photos"
            />
            <div class="status-line">
                <span class="numeric">
                    {move || {
                        let progress = progress.get();
                        format!("{} done, {} open", text::number(progress.done), text::number(progress.open))
                    }}
                </span>
                <span class="saves" role="status">
                    {move || match saves.get() {
                        Saves::All => EitherOf4::A(view! { <span class="quiet">"all saved"</span> }),
                        Saves::Saving(n) => EitherOf4::B(view! { <span class="quiet">{format!("saving {n}")}</span> }),
                        Saves::Waiting(n) => EitherOf4::C(view! {
                            <span class="badge badge-warning">{format!("offline, {n} waiting")}</span>
                        }),
                        Saves::SignedOut(n) => EitherOf4::D(view! {
                            <a class="badge badge-bad" rel="external" href=sign_in()>{format!("signed out, {n} waiting: sign in")}</a>
                        }),
                    }}
                </span>
            </div>
            <div class="status-line status-tools">
                <Button
                    weight=Weight::Quiet
                    disabled=Signal::derive(move || !can_undo.get())
                    on:click=move |_| driver.send(Event::Undo)
                >
                    "Undo " <kbd>"Z"</kbd>
                </Button>
                <button
                    type="button"
                    class="button button-quiet"
                    aria-expanded=move || if desk.guide_open.get() { "true" } else { "false" }
                    aria-controls="guide"
                    on:click=move |_| desk.guide_open.update(|open| *open = !*open)
                >
                    "Guideline " <kbd>"G"</kbd>
                </button>
                <Button weight=Weight::Quiet on:click=move |_| desk.keys_open.set(true)>"Keys " <kbd>"?"</kbd></Button>
                <label class="check status-auto" title="Go to the next photo by itself once every attribute has an answer">
                    <input type="checkbox" prop:checked=move || auto.get() on:change=set_auto/>
                    "auto next"
                </label>
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
                        <span>{format!("New guideline for {name}, {change}")}</span>
                        <button
                            type="button"
                            class="button button-quiet"
                            aria-label="Close"
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
                                <p><b>{photo.name.clone()}</b>" was not saved: " {reason}</p>
                                <div class="row">
                                    <Button on:click=move |_| driver.send(Event::Rework(id))>"Answer again"</Button>
                                    <Button weight=Weight::Quiet on:click=move |_| driver.send(Event::Discard(id))>"Discard"</Button>
                                </div>
                            </div>
                        </div>
                    }
                }
            </For>
        </div>
    }
}
