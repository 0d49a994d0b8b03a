//! The photo, the photos behind it, and what shows when there is none.

use std::collections::BTreeSet;

use kenami_domain::{
    roles::Role,
    view::annotate::{ClaimedPhoto, Stopped},
};
use leptos::{ev, html, prelude::*, task::spawn_local};

use super::{
    Desk,
    session::{Event, Stage as State},
    zoom::{Fingers, Pair, Zoom},
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
    // Every photo begins whole.
    Effect::new(move |_| {
        desk.claim.track();
        desk.zoom.set(Zoom::default());
    });
    let closer = Memo::new(move |_| Some(desk.zoom.get()).filter(|zoom| !zoom.is_whole()).map(Zoom::scale));
    view! {
        <Room>
            <For each=move || upcoming.get() key=|photo| photo.claim_id let:photo>
                <Picture photo attempt failed/>
            </For>
        </Room>
        {move || closer.get().map(|scale| view! {
            <button type="button" class="stage-zoom" on:click=move |_| desk.zoom.set(Zoom::default())>
                <span class="numeric">{text::percent(scale, 0)}</span>
                " " {t!("Whole photo")} " " <kbd>{desk.key_of("whole-photo")}</kbd>
            </button>
        })}
        {move || caption.get().map(|name| view! { <p class="stage-caption">{name}</p> })}
        {move || broken.get().then(|| view! {
            <div class="stage-broken" role="alert">
                <p>{t!("This photo could not be loaded.")}</p>
                <Button on:click=again>{t!("Load it again")}</Button>
            </div>
        })}
        // Read out when the photo changes.
        <p class="visually-hidden" aria-live="polite">
            {move || caption.get().map(|name| t!("Photo {name}", name = name))}
        </p>
    }
}

/// The id of the photo's room.
const ROOM: &str = "stage-view";

/// The photo's room: wheel, mouse and fingers look closer and elsewhere.
#[component]
fn Room(
    /// The photos.
    children: Children,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let room = NodeRef::<html::Div>::new();
    let fingers = StoredValue::new(Fingers::default());
    // Points count from the room's middle.
    let place = move |event: &ev::MouseEvent| -> Option<(Pair, Pair)> {
        let room = room.get_untracked()?.get_bounding_client_rect();
        let (width, height) = (room.width(), room.height());
        let x = f64::from(event.client_x()) - room.x() - width / 2.0;
        let y = f64::from(event.client_y()) - room.y() - height / 2.0;
        Some(((x, y), (width, height)))
    };
    let on_wheel = move |event: ev::WheelEvent| {
        // With Ctrl it is also what a touchpad's pinch sends.
        event.prevent_default();
        let lines = if event.delta_mode() == 0 { 1.0 } else { 24.0 };
        if let Some((at, size)) = place(&event) {
            desk.zoom.update(|zoom| *zoom = zoom.by((-event.delta_y() * lines / 400.0).exp(), at, size));
        }
    };
    let on_down = move |event: ev::PointerEvent| {
        if event.button() != 0 {
            return;
        }
        if let (Some((at, _)), Some(room)) = (place(&event), room.get_untracked()) {
            let _ = room.set_pointer_capture(event.pointer_id());
            fingers.update_value(|fingers| fingers.press(event.pointer_id(), at));
        }
    };
    let on_move = move |event: ev::PointerEvent| {
        let Some((at, size)) = place(&event) else { return };
        let before = desk.zoom.get_untracked();
        let after = fingers.try_update_value(|fingers| fingers.drag(event.pointer_id(), at, before, size));
        if let Some(after) = after.filter(|after| *after != before) {
            desk.zoom.set(after);
        }
    };
    let on_up = move |event: ev::PointerEvent| {
        let tapped = fingers.try_update_value(|fingers| fingers.lift(event.pointer_id(), event.time_stamp())).flatten();
        if let (Some(at), Some((_, size))) = (tapped, place(&event)) {
            desk.zoom.update(|zoom| *zoom = zoom.toggled(at, size));
        }
    };
    let on_cancel = move |event: ev::PointerEvent| fingers.update_value(|fingers| fingers.cancel(event.pointer_id()));
    view! {
        <div
            class="stage-view" class:stage-close=move || !desk.zoom.get().is_whole() id=ROOM node_ref=room
            on:wheel=on_wheel on:pointerdown=on_down on:pointermove=on_move on:pointerup=on_up on:pointercancel=on_cancel
        >
            {children()}
        </div>
    }
}

/// Looks `factor` times closer at the middle of what shows.
pub fn zoom_by(desk: Desk, factor: f64) {
    if let Some(room) = document().get_element_by_id(ROOM) {
        let size = (f64::from(room.client_width()), f64::from(room.client_height()));
        desk.zoom.update(|zoom| *zoom = zoom.by(factor, (0.0, 0.0), size));
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
            style:transform=move || Some(desk.zoom.get()).filter(|zoom| shown.get() && !zoom.is_whole()).map(Zoom::css)
            src=move || match attempt.get() {
                0 => url.clone(),
                n => format!("{url}?attempt={n}"),
            }
            width=photo.photo.width.to_string()
            height=photo.photo.height.to_string()
            alt=t!("Photo {name}", name = photo.photo.name)
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
        State::Loading => view! { <Loading what=t!("photos")/> }.into_any(),
        State::NoAttributes => view! {
            <EmptyState title=t!("Nothing to answer yet")>
                <p>{t!("This project has no attributes that annotators answer. A lead adds them with an import.")}</p>
                {link("/import", t!("Import"))}
            </EmptyState>
        }
        .into_any(),
        State::NoPhotos => view! {
            <EmptyState title=t!("No photos yet")>
                <p>{t!("Photos show up here as soon as a lead has imported them.")}</p>
                {link("/import", t!("Import photos"))}
            </EmptyState>
        }
        .into_any(),
        State::AllDone => view! {
            <EmptyState title=t!("All done")>
                <p>{t!("You have answered every photo that needs you. New ones, and photos whose guideline changes, show up here by themselves.")}</p>
                {ask_again(t!("Look again"))}
            </EmptyState>
        }
        .into_any(),
        State::HeldByOthers(slots) => view! {
            <EmptyState title=t!("Others have the rest")>
                <p>{n!(
                    slots,
                    "{count} photo is with other annotators now. What they give back shows up here by itself.",
                    "{count} photos are with other annotators now. What they give back shows up here by itself."
                )}</p>
                {ask_again(t!("Look again"))}
            </EmptyState>
        }
        .into_any(),
        State::Stopped(Stopped::Paused) => view! {
            <EmptyState title=t!("Your work is on pause")>
                <p>{t!("A lead of this project has paused your annotating. Your answers are kept. Ask the lead when it goes on; photos then show up here by themselves.")}</p>
                {ask_again(t!("Look again"))}
            </EmptyState>
        }
        .into_any(),
        State::Stopped(Stopped::Quiz) => view! {
            <EmptyState title=t!("First a short quiz")>
                <p>{t!("Before your first photo you answer a few whose right answer is known, and see the rule where you were wrong.")}</p>
                <a class="button button-primary" href=quiz>{t!("To the quiz")}</a>
            </EmptyState>
        }
        .into_any(),
        State::Trouble(failure) => view! {
            <EmptyState title=t!("No photos could be fetched")>
                <p>{failure.sentence()}</p>
                {ask_again(t!("Try again"))}
            </EmptyState>
        }
        .into_any(),
    };
    view! { <div class="stage-empty" role="status">{body}</div> }
}
