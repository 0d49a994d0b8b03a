//! The screen's photos.

use kenami_domain::{answer::Answer, view::grid::GridPhoto};
use leptos::prelude::*;

use super::{
    Desk,
    session::{Event, Mark, Session},
};
use crate::{
    components::photo::{Variant, media_url},
    text,
};

/// The open screen, and behind it the next one's pictures, loaded ahead.
#[component]
pub fn Tiles() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let session = desk.driver.session;
    let photos =
        Memo::new(move |_| session.with(|s| s.shown().map(|shown| shown.photos().to_vec()).unwrap_or_default()));
    let upcoming = Memo::new(move |_| session.with(Session::upcoming));
    view! {
        <ol class="grid-tiles" aria-label=t!("Photos")>
            <For
                each=move || photos.get().into_iter().enumerate()
                key=|(index, photo)| (*index, photo.claim_id)
                let:((index, photo))
            >
                <Tile index photo/>
            </For>
        </ol>
        <div class="grid-ahead" aria-hidden="true">
            <For each=move || upcoming.get() key=|photo| photo.claim_id let:photo>
                <img src=media_url(&desk.driver.key(), photo.photo.id, Variant::Thumbnail) alt="" decoding="async"/>
            </For>
        </div>
    }
}

/// One photo: its number, its picture, and its mark.
#[component]
fn Tile(
    /// Its place on the screen, from 0.
    index: usize,
    /// The photo.
    photo: GridPhoto,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let session = desk.driver.session;
    let pointed = Memo::new(move |_| session.with(|s| s.shown().and_then(|shown| shown.cursor()) == Some(index)));
    let mark = Memo::new(move |_| session.with(|s| s.shown().and_then(|shown| shown.mark_of(index).cloned())));
    let marked = Memo::new(move |_| mark.with(|mark| mark.as_ref().map(|mark| name(desk, mark))));
    let (label, sure) = (photo.photo.name.clone(), text::percent(f64::from(photo.probability), 0));
    let title = t!("{photo}, suggested with {probability}", photo = label, probability = sure);
    view! {
        <li>
            <button
                type="button"
                class="grid-tile"
                class:grid-tile-pointed=pointed
                class:grid-tile-marked=move || mark.with(Option::is_some)
                tabindex="-1"
                title=title
                aria-current=move || pointed.get().then_some("true")
                on:click=move |_| desk.driver.send(Event::Point(index))
            >
                // What is seen is also the button's name, in this order.
                <span class="grid-number numeric">{index + 1}</span>
                <img src=media_url(&desk.driver.key(), photo.photo.id, Variant::Thumbnail) alt=label decoding="async" draggable="false"/>
                <span class="grid-sure numeric">{sure}</span>
                {move || match marked.get() {
                    Some(mark) => view! { <span class="grid-mark">{mark}</span> },
                    None => view! { <span class="visually-hidden">{t!("as suggested").to_owned()}</span> },
                }}
            </button>
        </li>
    }
}

/// A mark in words.
pub fn name(desk: Desk, mark: &Mark) -> String {
    match mark {
        Mark::Later => t!("later").to_owned(),
        Mark::Answer(Answer::NotVisible) => t!("not visible").to_owned(),
        Mark::Answer(answer) => match desk.guide() {
            Some(guide) => text::answer_name(&guide.attribute, answer, text::language()),
            None => answer.key().to_owned(),
        },
    }
}
