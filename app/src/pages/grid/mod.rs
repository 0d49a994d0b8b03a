//! Many photos at once: a screen of photos with the same suggestion, accepted with one key but for what is marked.
//!
//! - [`session`]: what the page knows and decides, without a browser.
//! - [`keys`]: what keys mean.
//! - `driver`: requests, what the browser keeps, and the window.
//! - `tiles`, `bar`: what is seen.

pub mod keys;
pub mod session;

mod bar;
mod driver;
mod tiles;

use kenami_domain::{
    keys::{Layout, Page},
    view::{guidelines::Guideline, people::Preferences, photo::PhotoCard, project::Project},
};
use leptos::{either::Either, ev, html, prelude::*, wasm_bindgen::JsCast};
use leptos_meta::Title;

use self::{
    bar::{ActionBar, Head, Look, Refused},
    driver::Driver,
    keys::{Command, command},
    session::{Event, Stage},
    tiles::Tiles,
};
use super::{
    annotate::keyboard::{is_inside, press},
    project::use_project,
};
use crate::{
    api,
    app::SignedIn,
    components::{
        alert::{EmptyState, ErrorView, Loading},
        button::{Button, Weight},
        keys::KeyList,
    },
};

/// Windows up to this many CSS pixels wide have small tiles.
const NARROW: f64 = 600.0;
/// A screen has no more photos: nobody looks at more at a glance.
const MOST: usize = 40;

/// The page on which screens of photos are answered.
#[component]
pub fn GridPage() -> impl IntoView {
    let project = use_project();
    let SignedIn(me) = expect_context();
    let guides = Resource::new(move || project.key.get(), api::guidelines::guidelines);
    let preferences = Resource::new(|| (), |()| api::people::my_preferences());
    view! {
        <Title text=t!("Grid")/>
        <Transition fallback=|| view! { <Loading/> }>
            {move || Suspend::new(async move {
                match (project.resource.await, guides.await, me.await) {
                    (Ok(project), Ok(guides), Ok(me)) => {
                        let user_id = me.map_or(0, |me| me.id);
                        // Photos can be answered without them.
                        let preferences = preferences.await.unwrap_or_default();
                        Either::Left(view! { <Board project guides user_id preferences/> })
                    }
                    (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                        Either::Right(view! { <ErrorView error/> })
                    }
                }
            })}
        </Transition>
    }
}

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Desk {
    driver: Driver,
    guides: StoredValue<Vec<Guideline>>,
    /// What keys mean to this annotator.
    layout: StoredValue<Layout>,
    /// The list of keys shows.
    keys_open: RwSignal<bool>,
    /// The photo that is looked at large shows.
    look_open: RwSignal<bool>,
}

impl Desk {
    /// The guideline of the attribute that is asked.
    fn guide(self) -> Option<Guideline> {
        let index = self.driver.session.with(session::Session::attribute);
        self.guides.with_value(|guides| guides.get(index).cloned())
    }

    /// The key of an action, as it is written.
    fn key_of(self, id: &str) -> String {
        self.layout.with_value(|layout| crate::components::keys::key_of(layout, id))
    }

    /// The photo at the cursor.
    fn pointed(self) -> Option<PhotoCard> {
        self.driver.session.with(|session| {
            let shown = session.shown()?;
            Some(shown.photos()[shown.cursor()?].photo.clone())
        })
    }
}

#[component]
fn Board(
    /// The project.
    project: Project,
    /// Guidelines of the annotated attributes.
    guides: Vec<Guideline>,
    /// Who annotates.
    user_id: i64,
    /// Their keys and habits.
    preferences: Preferences,
) -> impl IntoView {
    let layout = Layout::new(Page::Grid, &preferences.keys);
    let list = keys::list(&layout);
    let driver = Driver::new(project.key.clone(), user_id, &guides);
    let desk = Desk {
        driver,
        guides: StoredValue::new(guides),
        layout: StoredValue::new(layout),
        keys_open: RwSignal::new(false),
        look_open: RwSignal::new(false),
    };
    provide_context(desk);
    let room = NodeRef::<html::Div>::new();
    // Once, and in the browser alone: photos are claimed by someone who sees them.
    Effect::new(move |before: Option<()>| {
        if before.is_none() {
            // After the first layout the room for the photos has its size.
            request_animation_frame(move || {
                let (want, columns) = fit(room);
                driver.start(want, columns);
            });
        }
    });
    Effect::new(move |_| {
        let resized = window_event_listener(ev::resize, move |_| {
            let (want, columns) = fit(room);
            driver.send(Event::Room { want, columns });
        });
        let pressed = window_event_listener(ev::keydown, move |event| on_key(desk, &event));
        on_cleanup(move || {
            resized.remove();
            pressed.remove();
        });
    });
    let stage = Memo::new(move |_| driver.session.with(session::Session::stage));
    view! {
        <div class="grid-page full-window">
            <h1 class="visually-hidden">{t!("Answer photos of {project} by the screen", project = project.name)}</h1>
            <Head/>
            <Refused/>
            <div class="grid-room" id=ROOM tabindex="-1" node_ref=room>
                <Tiles/>
                {move || match stage.get() {
                    Stage::Working => Either::Left(()),
                    other => Either::Right(view! { <Empty stage=other key=project.key.clone()/> }),
                }}
            </div>
            <ActionBar/>
            <KeyList open=desk.keys_open list/>
            <Look/>
        </div>
    }
}

/// The id of the room for photos.
const ROOM: &str = "grid-room";

/// Takes the browser's focus from a button that has done its work.
fn focus_room() {
    let room = document().get_element_by_id(ROOM).and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(room) = room {
        let _ = room.focus();
    }
}

/// How many photos fit, and in how many columns: what style/pages/grid.css makes of the room.
fn fit(room: NodeRef<html::Div>) -> (usize, usize) {
    let Some(room) = room.get_untracked() else { return (12, 4) };
    let (width, height) = (f64::from(room.client_width()), f64::from(room.client_height()));
    let (tile, gap) = if width <= NARROW { (104.0, 4.0) } else { (168.0, 8.0) };
    // The room's padding is as wide as a gap; tiles are square and share what is left of the width.
    let columns = ((width - gap) / (tile + gap)).floor().max(1.0);
    let side = (width - gap) / columns;
    let rows = ((height - gap) / side).floor().max(1.0);
    let fits = (columns * rows) as usize;
    // A phone's room is scrolled anyway.
    (if width <= NARROW { fits.max(12) } else { fits.clamp(1, MOST) }, columns as usize)
}

fn on_key(desk: Desk, event: &ev::KeyboardEvent) {
    let inside = |selector: &str| is_inside(event, selector);
    let key = event.key();
    let Some(command) = desk.layout.with_value(|layout| command(layout, press(event, &key))) else { return };
    if event.default_prevented() || (inside("dialog") && !matches!(command, Command::Help | Command::Look)) {
        return;
    }
    // Links and buttons press themselves; a tile's Enter accepts the screen, as everywhere.
    if command == Command::Session(Event::Accept) && inside("a, button:not(.grid-tile), summary") {
        return;
    }
    match command {
        Command::Session(event) => desk.driver.send(event),
        Command::Help => desk.keys_open.update(|open| *open = !*open),
        Command::Look if desk.pointed().is_some() => desk.look_open.update(|open| *open = !*open),
        Command::Look => return,
    }
    event.prevent_default();
}

/// Why there is no screen, and what to do about it.
#[component]
fn Empty(
    /// The reason.
    stage: Stage,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let desk = expect_context::<Desk>();
    let annotate = format!("/p/{key}/annotate");
    let body = match stage {
        Stage::Working => ().into_any(),
        Stage::Loading => view! { <Loading what=t!("photos")/> }.into_any(),
        Stage::NoAttributes => view! {
            <EmptyState title=t!("Nothing to answer yet")>
                <p>{t!("This project has no attributes that annotators answer. A lead adds them with an import.")}</p>
            </EmptyState>
        }
        .into_any(),
        Stage::NoSuggestions => view! {
            <EmptyState title=t!("No suggestions")>
                <p>
                    {t!("The grid shows photos by what is suggested for them. A lead chooses where suggestions come from on the suggestions page, and who sees them.")}
                </p>
                <a class="button button-primary" href=annotate>{t!("Annotate one by one")}</a>
            </EmptyState>
        }
        .into_any(),
        Stage::Done => view! {
            <EmptyState title=t!("This attribute is done")>
                <p>{t!("Every photo with a suggestion has your answer. What is left, and the share that is always answered without suggestions, comes one by one.")}</p>
                <a class="button button-primary" href=annotate>{t!("Annotate one by one")}</a>
            </EmptyState>
        }
        .into_any(),
        Stage::Trouble(failure) => view! {
            <EmptyState title=t!("No photos could be fetched")>
                <p>{failure.sentence()}</p>
                <Button weight=Weight::Primary on:click=move |_| desk.driver.send(Event::Refill)>{t!("Try again")}</Button>
            </EmptyState>
        }
        .into_any(),
    };
    view! { <div class="stage-empty" role="status">{body}</div> }
}
