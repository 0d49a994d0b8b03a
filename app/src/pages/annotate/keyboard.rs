//! Key presses.

use kenami_domain::answer::Answer;
use leptos::{ev, prelude::*, wasm_bindgen::JsCast};

use super::{
    Desk,
    keys::{Command, Press, command},
    session::Event,
    zoom::{STEP, Zoom},
};

/// Listens to keys for as long as the page shows.
#[component]
pub fn Keyboard() -> impl IntoView {
    let desk = expect_context::<Desk>();
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, move |event| on_key(desk, &event));
        on_cleanup(move || handle.remove());
    });
}

fn on_key(desk: Desk, event: &ev::KeyboardEvent) {
    let inside = |selector: &str| is_inside(event, selector);
    let key = event.key();
    let Some(command) = desk.layout.with_value(|layout| command(layout, press(event, &key))) else { return };
    // A dialog keeps its keys, except the one that closes the list.
    if inside("dialog") && command != Command::Help {
        return;
    }
    // Links and buttons press themselves; what scrolls keeps its arrows.
    let own = match command {
        Command::Advance => inside("a, button, summary"),
        Command::Step(_) | Command::Button(_) => inside(".guide, .compare, .project-nav, .refused"),
        _ => false,
    };
    if own || event.default_prevented() {
        return;
    }
    if run(desk, command) {
        event.prevent_default();
    }
}

/// Whether the event's target lies in an element that fits the selector.
pub(crate) fn is_inside(event: &ev::KeyboardEvent, selector: &str) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|target| target.closest(selector).ok().flatten().is_some())
}

/// The event as far as it decides what is meant; `key` is its key.
pub(crate) fn press<'a>(event: &ev::KeyboardEvent, key: &'a str) -> Press<'a> {
    Press {
        key,
        modified: event.ctrl_key() || event.alt_key() || event.meta_key(),
        typing: is_inside(event, TYPING),
        repeat: event.repeat(),
        composing: event.is_composing(),
    }
}

/// Where keys are text, or belong to the control.
const TYPING: &str =
    "textarea, select, [contenteditable], input:not([type=checkbox]):not([type=radio]):not([type=button])";

/// Does what a key asks for; false if it means nothing now.
fn run(desk: Desk, command: Command) -> bool {
    let driver = desk.driver;
    let event = match command {
        Command::Value(index) => {
            let value = driver.session.with_untracked(|session| {
                let focus = session.current()?.focus();
                session.questions().get(focus)?.values.get(index).cloned()
            });
            match value {
                Some(value) => Event::Answer(Answer::Value(value)),
                None => return false,
            }
        }
        Command::NotVisible => Event::Answer(Answer::NotVisible),
        Command::Unsure => Event::OpenNote,
        Command::Step(forward) => Event::Step(forward),
        Command::Button(forward) => return step_button(desk, forward),
        Command::Undo => Event::Undo,
        Command::Advance => Event::Advance,
        Command::Guideline => {
            desk.guide_open.update(|open| *open = !*open);
            return true;
        }
        Command::Examples => {
            desk.examples_open.update(|open| *open = !*open);
            return true;
        }
        Command::Zoom(closer) => {
            super::stage::zoom_by(desk, if closer { STEP } else { 1.0 / STEP });
            return true;
        }
        Command::Whole => {
            desk.zoom.set(Zoom::default());
            return true;
        }
        Command::Help => {
            desk.keys_open.update(|open| *open = !*open);
            return true;
        }
        Command::Close => {
            if desk.examples_open.get_untracked() {
                desk.examples_open.set(false);
                return true;
            }
            let narrow = super::window_width() <= super::NARROW;
            if narrow {
                desk.guide_open.set(false);
            }
            return narrow;
        }
    };
    driver.send(event);
    true
}

/// Moves the browser's focus to the next (or previous) button of the attribute in focus.
fn step_button(desk: Desk, forward: bool) -> bool {
    let Some(focus) = desk.focus.get_untracked() else { return false };
    let Some(group) = document().get_element_by_id(&super::panel::group_id(focus)) else { return false };
    let Ok(buttons) = group.query_selector_all(".answer") else { return false };
    let active = document().active_element();
    let count = buttons.length();
    let here = (0..count).find(|&i| buttons.get(i).as_ref() == active.as_ref().map(AsRef::as_ref));
    let next = match (here, forward) {
        (None, true) => 0,
        (None, false) => count.saturating_sub(1),
        (Some(i), true) => (i + 1) % count,
        (Some(i), false) => (i + count - 1) % count,
    };
    buttons
        .get(next)
        .and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok())
        .is_some_and(|button| button.focus().is_ok())
}
