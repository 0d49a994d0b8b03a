//! Annotating: one photo after the other, answered by single keys under the guideline that is shown beside it.
//!
//! - [`session`]: what the page knows and decides, without a browser.
//! - [`keys`]: what keys mean.
//! - [`zoom`]: how close the photo is looked at.
//! - `driver`, `mirror`: requests, what the browser keeps, and the window.
//! - `keyboard`, `stage`, `panel`, `guide`, `compare`, `status`, `pending`: what is seen.

pub mod keys;
pub mod session;
pub mod zoom;

mod compare;
pub(crate) mod driver;
pub(crate) mod guide;
pub(crate) mod keyboard;
pub(crate) mod mirror;
mod panel;
pub(crate) mod pending;
mod stage;
mod status;

use kenami_domain::{
    keys::{Layout, Page},
    view::{guidelines::Guideline, people::Preferences, project::Project},
};
use leptos::{either::Either, prelude::*};
use leptos_meta::Title;

use self::{
    compare::Compare,
    driver::Driver,
    guide::Guide,
    keyboard::Keyboard,
    panel::Panel,
    session::Stage as State,
    stage::{Empty, Stage},
    status::{Refused, StatusBar},
    zoom::Zoom,
};
use crate::{
    api,
    app::SignedIn,
    components::{
        alert::{ErrorView, Loading},
        keys::KeyList,
    },
    pages::project::use_project,
};

/// The page on which photos are answered.
#[component]
pub fn AnnotatePage() -> impl IntoView {
    let project = use_project();
    let SignedIn(me) = expect_context();
    let guides = Resource::new(move || project.key.get(), api::guidelines::guidelines);
    let preferences = Resource::new(|| (), |()| api::people::my_preferences());
    view! {
        <Title text=t!("Annotate")/>
        <Transition fallback=|| view! { <Loading/> }>
            {move || Suspend::new(async move {
                match (project.resource.await, guides.await, me.await) {
                    (Ok(project), Ok(guides), Ok(me)) => {
                        let user_id = me.map_or(0, |me| me.id);
                        // Photos can be answered without them.
                        let preferences = preferences.await.unwrap_or_default();
                        Either::Left(view! { <Desk project guides user_id preferences/> })
                    }
                    (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                        Either::Right(view! { <ErrorView error/> })
                    }
                }
            })}
        </Transition>
    }
}

/// What the parts of the page share beside the session.
#[derive(Clone, Copy)]
struct Desk {
    driver: Driver,
    /// The guideline shows (beside the photo, or as a drawer over a narrow window).
    guide_open: RwSignal<bool>,
    /// The guideline's examples show beside the photo.
    examples_open: RwSignal<bool>,
    /// The list of keys shows.
    keys_open: RwSignal<bool>,
    /// What keys mean to this annotator.
    layout: StoredValue<Layout>,
    /// How close the open photo is looked at.
    zoom: RwSignal<Zoom>,
    /// Index of the attribute in focus; none while no photo is open.
    focus: Memo<Option<usize>>,
    /// Claim of the open photo.
    claim: Memo<Option<i64>>,
}

impl Desk {
    /// The key of an action, as it is written.
    fn key_of(self, id: &str) -> String {
        self.layout.with_value(|layout| crate::components::keys::key_of(layout, id))
    }

    /// The key of the value with this index, as it is written.
    fn value_key(self, index: usize) -> Option<String> {
        self.layout.with_value(|layout| crate::components::keys::value_key(layout, index))
    }
}

/// The photo, the answers and the guideline.
#[component]
fn Desk(
    /// The project.
    project: Project,
    /// Guidelines of the annotated attributes.
    guides: Vec<Guideline>,
    /// Who annotates.
    user_id: i64,
    /// Their keys and habits.
    preferences: Preferences,
) -> impl IntoView {
    let driver = Driver::new(project.key.clone(), user_id, project.lease_seconds, guides);
    let layout = Layout::new(Page::Annotate, &preferences.keys);
    let (list, note) = (keys::list(&layout), preferences.keys.is_empty().then_some(keys::ONE_HAND));
    let session = driver.session;
    let desk = Desk {
        driver,
        guide_open: RwSignal::new(true),
        examples_open: RwSignal::new(false),
        keys_open: RwSignal::new(false),
        layout: StoredValue::new(layout),
        zoom: RwSignal::new(Zoom::default()),
        focus: Memo::new(move |_| session.with(|session| session.current().map(session::Sheet::focus))),
        claim: Memo::new(move |_| session.with(|session| session.current().map(|sheet| sheet.photo().claim_id))),
    };
    provide_context(desk);
    // For the rules, which other pages show, too.
    provide_context(desk.layout);
    let started = RwSignal::new(false);
    // Once, and in the browser alone: photos are claimed by someone who sees them.
    Effect::new(move |before: Option<()>| {
        if before.is_none() {
            // In a narrow window the guideline would lie over the photo.
            desk.guide_open.set(window_width() > NARROW);
            started.set(true);
            driver.start(preferences.auto_advance);
        }
    });
    let state = Memo::new(move |_| session.with(session::Session::stage));
    let working = Memo::new(move |_| state.get() == State::Working);
    view! {
        <div
            class="annotate full-window"
            class:annotate-started=started
            class:annotate-guide=move || desk.guide_open.get()
        >
            <h1 class="visually-hidden">{t!("Annotate {project}", project = project.name)}</h1>
            <Keyboard/>
            <div class="annotate-stage" class:annotate-compare=move || desk.examples_open.get()>
                <Stage/>
                <Compare/>
                {move || match state.get() {
                    State::Working => Either::Left(()),
                    other => Either::Right(view! { <Empty state=other key=project.key.clone() lead=project.role/> }),
                }}
            </div>
            <div class="annotate-side">
                <StatusBar/>
                <Refused/>
                {move || working.get().then(|| view! { <Panel/> })}
                <Guide/>
            </div>
            <KeyList open=desk.keys_open list note/>
        </div>
    }
}

/// Windows up to this many CSS pixels wide show the photo above the answers.
const NARROW: f64 = 800.0;

fn window_width() -> f64 {
    window().inner_width().ok().and_then(|width| width.as_f64()).unwrap_or(f64::INFINITY)
}
