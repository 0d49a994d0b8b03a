//! What the server does not have yet: how much, since when, and whether the page may be closed.

use leptos::{prelude::*, wasm_bindgen::JsValue};

use super::{
    driver::now,
    mirror::{Keeping, Place},
    session::{Outbox, Outgoing},
};

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pending {
    /// Entries that the server does not have.
    pub unsaved: usize,
    /// Since when the oldest of them waits, on the page's clock.
    pub since: Option<f64>,
    /// Sending fails.
    pub trouble: bool,
    /// Nobody is signed in any more.
    pub signed_out: bool,
}

impl Pending {
    /// What an outbox holds.
    pub fn of<R: Outgoing>(outbox: &Outbox<R>) -> Self {
        Self {
            unsaved: outbox.unsaved(),
            since: outbox.unsaved_since(),
            trouble: outbox.in_trouble(),
            signed_out: outbox.signed_out(),
        }
    }
}

/// The state of saving in a line, and below it what closing the page would do while something waits.
#[component]
pub(crate) fn PendingLine(
    /// What is on its way.
    pending: Memo<Pending>,
    /// How well it is kept.
    keeping: RwSignal<Keeping>,
    /// Where one signs in again.
    sign_in: String,
    /// What to say when everything is saved.
    saved: impl Fn() -> String + Send + Sync + 'static,
    /// What to say while so many are being saved.
    saving: impl Fn(i64) -> String + Send + Sync + 'static,
    /// So many entries, in words.
    waiting: impl Fn(i64) -> String + Send + Sync + 'static,
) -> impl IntoView {
    // What goes as it should is not read out: it would be said after every answer.
    let calm = move || {
        let Pending { unsaved, trouble, signed_out, .. } = pending.get();
        let words = match unsaved {
            0 => Some(saved()),
            _ if trouble || signed_out => None,
            left => Some(saving(left as i64)),
        };
        words.map(|words| view! { <span class="quiet">{words}</span> })
    };
    let alarm = move || {
        let Pending { unsaved, since, trouble, signed_out } = pending.get();
        let since = since.map(clock).unwrap_or_default();
        let left = unsaved as i64;
        if unsaved > 0 && signed_out {
            let words = t!("signed out, {count} waiting since {time}: sign in", count = waiting(left), time = since);
            view! { <a class="badge badge-bad" rel="external" href=sign_in.clone()>{words}</a> }.into_any()
        } else if unsaved > 0 && trouble {
            let words = t!("offline, {count} waiting since {time}", count = waiting(left), time = since);
            view! { <span class="badge badge-warning">{words}</span> }.into_any()
        } else {
            ().into_any()
        }
    };
    let closing = move || {
        let Pending { unsaved, trouble, signed_out, .. } = pending.get();
        let keeping = keeping.get();
        // Milliseconds that nobody could act in are not worth a sentence.
        let worth = unsaved > 0 && (trouble || signed_out || keeping.place != Place::Database);
        worth.then(|| closing_means(keeping)).map(|(safe, words)| {
            view! { <span class="saves-closing" class:saves-unsafe=!safe>{words}</span> }
        })
    };
    view! { <span class="saves">{calm} <span role="status">{alarm} {closing}</span></span> }
}

/// Whether closing the page is safe, and what it would mean.
fn closing_means(keeping: Keeping) -> (bool, &'static str) {
    match keeping {
        _ if keeping.is_safe() => (true, t!("Kept in this browser: closing the page is safe.")),
        Keeping { place: Place::Database, .. } => {
            (false, t!("Being written in this browser: do not close the page yet."))
        }
        Keeping { place: Place::LocalStorage, .. } => {
            (false, t!("This browser has no database: kept until a private window closes. Do not close it."))
        }
        Keeping { place: Place::Memory, .. } => {
            (false, t!("This browser keeps nothing: closing the page loses what waits."))
        }
    }
}

/// A moment of the page's clock as the wall shows it: hours and minutes, with the day if that is long ago.
fn clock(at: f64) -> String {
    let ago = now() - at;
    let moment = js_sys::Date::new(&JsValue::from_f64(js_sys::Date::now() - ago));
    let time = format!("{:02}:{:02}", moment.get_hours(), moment.get_minutes());
    if ago < 64_800_000.0 {
        return time;
    }
    format!("{}-{:02}-{:02} {time}", moment.get_full_year(), moment.get_month() + 1, moment.get_date())
}
