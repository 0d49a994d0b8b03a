//! The list of a page's keys, over the page, and how keys and actions are written.

use kenami_domain::keys::{CHOSEN_VALUES, Layout, Page, Refusal};
use leptos::prelude::*;

use super::dialog::Dialog;

/// Keys, and what they mean. `…` stands between keys of a row.
pub type KeyRow = (Vec<String>, &'static str);

/// A key as it is written: letters large.
pub fn shown(key: &str) -> String {
    if key.chars().count() == 1 { key.to_uppercase() } else { key.to_owned() }
}

/// The first key of an action, as it is written.
pub fn key_of(layout: &Layout, id: &str) -> String {
    layout.keys_of(id).first().map(|key| shown(key)).unwrap_or_default()
}

/// The key of the value with this index, as it is written.
pub fn value_key(layout: &Layout, index: usize) -> Option<String> {
    layout.value_key(index).map(shown)
}

/// An action's row of the list.
pub fn action_row(layout: &Layout, id: &str, meaning: &'static str) -> KeyRow {
    (layout.keys_of(id).iter().map(|key| shown(key)).collect(), meaning)
}

/// The row of the values.
pub fn value_row(layout: &Layout, meaning: &'static str) -> KeyRow {
    let ends = [0, CHOSEN_VALUES - 1].map(|index| value_key(layout, index).unwrap_or_default());
    let [first, last] = ends;
    (vec![first, "…".to_owned(), last], meaning)
}

/// What an action is called where its key is chosen.
pub fn action_name(page: Page, id: &str) -> String {
    let words = match (page, id) {
        (_, "not-visible") => t!("Not visible"),
        (_, "unsure") => t!("Unsure"),
        (_, "undo") => t!("Take back"),
        (_, "next-photo") => t!("Next photo"),
        (_, "guideline") => t!("Guideline"),
        (_, "examples") => t!("Examples beside the photo"),
        (_, "zoom-in") => t!("Closer"),
        (_, "zoom-out") => t!("Further away"),
        (_, "whole-photo") => t!("Whole photo"),
        (_, "accept") => t!("Accept the screen"),
        (_, "later") => t!("Put off"),
        (_, "unmark") => t!("Take a mark away"),
        (_, "look") => t!("Look at it large"),
        (_, id) => match id.strip_prefix("value-") {
            Some(number) => return t!("Value {number}", number = number),
            None => id,
        },
    };
    words.to_owned()
}

/// Why a key was refused, in a sentence.
pub fn refusal(page: Page, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Modified => {
            t!("Keys with Ctrl, Alt or Meta belong to the browser and the operating system.").to_owned()
        }
        Refusal::Browser => t!("This key belongs to the browser or the operating system.").to_owned(),
        Refusal::Everywhere => {
            t!("This key means the same on every page: it moves, presses, closes or lists the keys.").to_owned()
        }
        Refusal::Enter => t!("Enter presses buttons: it can only go on to what is next.").to_owned(),
        Refusal::Digit => t!("Digits are the numbers of photos in the grid.").to_owned(),
        Refusal::Taken(id) => {
            t!("“{action}” has this key. Give that another one first.", action = action_name(page, id))
        }
        Refusal::Unknown(id) => t!("There is no action {id}.", id = id),
    }
}

/// Lists a page's keys while `open` is true.
#[component]
pub fn KeyList(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The keys.
    list: Vec<KeyRow>,
    /// What else there is to say of them.
    #[prop(optional_no_strip)]
    note: Option<&'static str>,
) -> impl IntoView {
    view! {
        <Dialog open title=t!("Keys")>
            <dl class="key-list">
                {list
                    .iter()
                    .map(|(keys, meaning)| {
                        let keys = keys.iter().map(|key| if key == "…" {
                            view! { <span>"…"</span> }.into_any()
                        } else {
                            view! { <kbd>{key.clone()}</kbd> }.into_any()
                        }).collect_view();
                        view! { <div><dt>{keys}</dt><dd>{*meaning}</dd></div> }
                    })
                    .collect_view()}
            </dl>
            {note.map(|note| view! { <p>{crate::text::translate(note)}</p> })}
            <p class="quiet">
                {t!("Keys rest while you write in a field and while Ctrl, Alt or Meta is held.")} " "
                <a href="/account#keys">{t!("Choose your own keys")}</a>
            </p>
        </Dialog>
    }
}
