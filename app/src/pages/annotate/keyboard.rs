//! Key presses, and the list of keys.

use kenami_domain::answer::Answer;
use leptos::{ev, prelude::*, wasm_bindgen::JsCast};

use super::{
    Desk,
    keys::{Command, LIST, Press, command},
    session::Event,
};
use crate::components::dialog::Dialog;

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
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let inside = |selector: &str| target.as_ref().is_some_and(|t| t.closest(selector).ok().flatten().is_some());
    let key = event.key();
    let press = Press {
        key: &key,
        modified: event.ctrl_key() || event.alt_key() || event.meta_key(),
        typing: inside(TYPING),
        repeat: event.repeat(),
        composing: event.is_composing(),
    };
    let Some(command) = command(press) else { return };
    // A dialog keeps its keys, except the one that closes the list.
    if inside("dialog") && command != Command::Help {
        return;
    }
    // Links and buttons press themselves; what scrolls keeps its arrows.
    let own = match command {
        Command::Advance => inside("a, button, summary"),
        Command::Step(_) | Command::Button(_) => inside(".guide, .project-nav, .refused"),
        _ => false,
    };
    if own || event.default_prevented() {
        return;
    }
    if run(desk, command) {
        event.prevent_default();
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
        Command::Help => {
            desk.keys_open.update(|open| *open = !*open);
            return true;
        }
        Command::Close => {
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

/// The list of keys, over the page.
#[component]
pub fn KeyList() -> impl IntoView {
    let desk = expect_context::<Desk>();
    view! {
        <Dialog open=desk.keys_open title="Keys">
            <dl class="key-list">
                {LIST
                    .iter()
                    .map(|(keys, meaning)| {
                        let keys = keys.iter().map(|key| if *key == "…" {
                            view! { <span>"…"</span> }.into_any()
                        } else {
                            view! { <kbd>{*key}</kbd> }.into_any()
                        }).collect_view();
                        view! { <div><dt>{keys}</dt><dd>{*meaning}</dd></div> }
                    })
                    .collect_view()}
            </dl>
            <p class="quiet">"Keys rest while you write in a field and while Ctrl, Alt or Meta is held."</p>
        </Dialog>
    }
}
