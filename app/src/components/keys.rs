//! The list of a page's keys, over the page, and how keys and actions are written.

use kenami_domain::keys::{CHOSEN_VALUES, Layout, Page, Refusal};
use leptos::prelude::*;

use super::dialog::Dialog;
use crate::text;

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
        (_, "not-visible") => "Not visible",
        (_, "unsure") => "Unsure",
        (_, "undo") => "Take back",
        (_, "next-photo") => "Next photo",
        (_, "guideline") => "Guideline",
        (_, "examples") => "Examples beside the photo",
        (_, "zoom-in") => "Closer",
        (_, "zoom-out") => "Further away",
        (_, "whole-photo") => "Whole photo",
        (_, "accept") => "Accept the screen",
        (_, "later") => "Put off",
        (_, "unmark") => "Take a mark away",
        (_, "look") => "Look at it large",
        (_, id) => match id.strip_prefix("value-") {
            Some(number) => return format!("Value {number}"),
            None => id,
        },
    };
    words.to_owned()
}

/// Why a key was refused, in a sentence.
pub fn refusal(page: Page, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Modified => "Keys with Ctrl, Alt or Meta belong to the browser and the operating system.".to_owned(),
        Refusal::Browser => "This key belongs to the browser or the operating system.".to_owned(),
        Refusal::Everywhere => {
            "This key means the same on every page: it moves, presses, closes or lists the keys.".to_owned()
        }
        Refusal::Enter => "Enter presses buttons: it can only go on to what is next.".to_owned(),
        Refusal::Digit => "Digits are the numbers of photos in the grid.".to_owned(),
        Refusal::Taken(id) => format!("“{}” has this key. Give that another one first.", action_name(page, id)),
        Refusal::Unknown(id) => format!("There is no action {id}."),
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
                        view! { <div><dt>{keys}</dt><dd>{text::translate(meaning)}</dd></div> }
                    })
                    .collect_view()}
            </dl>
            {note.map(|note| view! { <p>{text::translate(note)}</p> })}
            <p class="quiet">
                {t!("Keys rest while you write in a field and while Ctrl, Alt or Meta is held.")} " "
                <a href="/account#keys">{t!("Choose your own keys")}</a>
            </p>
        </Dialog>
    }
}
