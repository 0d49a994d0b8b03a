//! The list of a page's keys, over the page.

use leptos::prelude::*;

use super::dialog::Dialog;
use crate::text;

/// Keys, and what they mean. `…` stands between keys of a row.
pub type KeyRow = (&'static [&'static str], &'static str);

/// Lists a page's keys while `open` is true.
#[component]
pub fn KeyList(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The keys.
    list: &'static [KeyRow],
) -> impl IntoView {
    view! {
        <Dialog open title=t!("Keys")>
            <dl class="key-list">
                {list
                    .iter()
                    .map(|(keys, meaning)| {
                        let keys = keys.iter().map(|key| if *key == "…" {
                            view! { <span>"…"</span> }.into_any()
                        } else {
                            view! { <kbd>{*key}</kbd> }.into_any()
                        }).collect_view();
                        view! { <div><dt>{keys}</dt><dd>{text::translate(meaning)}</dd></div> }
                    })
                    .collect_view()}
            </dl>
            <p class="quiet">{t!("Keys rest while you write in a field and while Ctrl, Alt or Meta is held.")}</p>
        </Dialog>
    }
}
