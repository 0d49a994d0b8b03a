//! The photo, the photos behind it, and what shows when there is none.

use std::collections::BTreeSet;

use kenami_domain::{
    roles::Role,
    view::annotate::{ClaimedPhoto, Stopped},
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    Desk,
    session::{Event, Stage as State},
};
use crate::{
    components::{
        alert::{EmptyState, Loading},
        button::{Button, Weight},
        photo::{Variant, media_url},
    },
    text,
};

/// Photos in the page: the open one and those that are ready to follow.
const IN_PAGE: usize = 6;

/// The open photo as large as the window allows; those that follow lie behind it, loaded and decoded.
#[component]
pub fn Stage() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let session = desk.driver.session;
    let upcoming = Memo::new(move |_| session.with(|session| session.upcoming(IN_PAGE)));
    let failed = RwSignal::new(BTreeSet::<i64>::new());
    let attempt = RwSignal::new(0u32);
    let caption =
        Memo::new(move |_| session.with(|session| session.current().map(|sheet| sheet.photo().photo.name.clone())));
    let broken =
        Memo::new(move |_| desk.claim.get().is_some_and(|claim| failed.with(|failed| failed.contains(&claim))));
    let again = move |_| {
        failed.update(BTreeSet::clear);
        attempt.update(|n| *n += 1);
    };
    view! {
        <For each=move || upcoming.get() key=|photo| photo.claim_id let:photo>
            <Picture photo attempt failed/>
        </For>
        {move || caption.get().map(|name| view! { <p class="stage-caption">{name}</p> })}
        {move || broken.get().then(|| view! {
            <div class="stage-broken" role="alert">
                <p>"This photo could not be loaded."</p>
                <Button on:click=again>"Load it again"</Button>
            </div>
        })}
        // Read out when the photo changes.
        <p class="visually-hidden" aria-live="polite">
            {move || caption.get().map(|name| format!("Photo {name}"))}
        </p>
    }
}

/// One photo, seen or waiting.
#[component]
fn Picture(
    /// The photo.
    photo: ClaimedPhoto,
    /// Counts up when loading is to be tried again.
    attempt: RwSignal<u32>,
    /// Claims whose photo could not be loaded.
    failed: RwSignal<BTreeSet<i64>>,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let claim = photo.claim_id;
    let shown = Memo::new(move |_| desk.claim.get() == Some(claim));
    let url = media_url(&desk.driver.key(), photo.photo.id, Variant::Web);
    let on_load = move |event: leptos::ev::Event| {
        let image = event_target::<web_sys::HtmlImageElement>(&event);
        // Decoded while it still lies behind the open photo, it is painted at once when its turn comes.
        let decoded = wasm_bindgen_futures::JsFuture::from(image.decode());
        spawn_local(async move {
            let _ = decoded.await;
            desk.driver.send(Event::PhotoReady(claim));
        });
    };
    view! {
        <img
            class="stage-photo"
            class:stage-photo-shown=shown
            src=move || match attempt.get() {
                0 => url.clone(),
                n => format!("{url}?attempt={n}"),
            }
            width=photo.photo.width.to_string()
            height=photo.photo.height.to_string()
            alt=format!("Photo {}", photo.photo.name)
            aria-hidden=move || (!shown.get()).then_some("true")
            decoding="async"
            draggable="false"
            on:load=on_load
            on:error=move |_| failed.update(|failed| {
                failed.insert(claim);
            })
        />
    }
}

/// Why there is no photo, and what to do about it.
#[component]
pub fn Empty(
    /// The reason.
    state: State,
    /// The project's key.
    key: String,
    /// The annotator's role here.
    lead: Role,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let lead = lead == Role::Lead;
    let quiz = format!("/p/{key}/quiz");
    let again = move |_| desk.driver.send(Event::Refill);
    let ask_again = move |words: &'static str| view! { <Button weight=Weight::Primary on:click=again>{words}</Button> };
    let link = move |path: &str, words: &'static str| {
        lead.then(|| view! { <a class="button button-primary" href=format!("/p/{key}{path}")>{words}</a> })
    };
    let body = match state {
        State::Working => ().into_any(),
        State::Loading => view! { <Loading what="photos"/> }.into_any(),
        State::NoAttributes => view! {
            <EmptyState title="Nothing to answer yet">
                <p>"This project has no attributes that annotators answer. A lead adds them with an import."</p>
                {link("/import", "Import")}
            </EmptyState>
        }
        .into_any(),
        State::NoPhotos => view! {
            <EmptyState title="No photos yet">
                <p>"Photos show up here as soon as a lead has imported them."</p>
                {link("/import", "Import photos")}
            </EmptyState>
        }
        .into_any(),
        State::AllDone => view! {
            <EmptyState title="All done">
                <p>"You have answered every photo that needs you. New ones, and photos whose guideline changes, show up here by themselves."</p>
                {ask_again("Look again")}
            </EmptyState>
        }
        .into_any(),
        State::HeldByOthers(slots) => view! {
            <EmptyState title="Others have the rest">
                <p>{format!(
                    "{} with other annotators now. What they give back shows up here by itself.",
                    text::count(slots, "photo is", "photos are"),
                )}</p>
                {ask_again("Look again")}
            </EmptyState>
        }
        .into_any(),
        State::Stopped(Stopped::Paused) => view! {
            <EmptyState title="Your work is on pause">
                <p>"A lead of this project has paused your annotating. Your answers are kept. Ask the lead when it goes on; photos then show up here by themselves."</p>
                {ask_again("Look again")}
            </EmptyState>
        }
        .into_any(),
        State::Stopped(Stopped::Quiz) => view! {
            <EmptyState title="First a short quiz">
                <p>"Before your first photo you answer a few whose right answer is known, and see the rule where you were wrong."</p>
                <a class="button button-primary" href=quiz>"To the quiz"</a>
            </EmptyState>
        }
        .into_any(),
        State::Trouble(failure) => view! {
            <EmptyState title="No photos could be fetched">
                <p>{failure.sentence()}</p>
                {ask_again("Try again")}
            </EmptyState>
        }
        .into_any(),
    };
    view! { <div class="stage-empty" role="status">{body}</div> }
}
