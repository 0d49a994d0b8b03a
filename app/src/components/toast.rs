//! Short messages that come and go, for what worked or failed out of sight.

use std::time::Duration;

use leptos::prelude::*;

use super::alert::Tone;

/// How long a message stays; failures stay until closed.
const SHOWN: Duration = Duration::from_secs(5);

/// The messages that show now.
#[derive(Clone, Copy)]
pub struct Toasts(RwSignal<Vec<Toast>>);

#[derive(Clone, PartialEq)]
struct Toast {
    id: u64,
    tone: Tone,
    text: String,
}

/// Makes [`Toasts`] available to everything below.
pub fn provide_toasts() {
    provide_context(Toasts(RwSignal::new(Vec::new())));
}

/// The messages' place, from any component.
pub fn use_toasts() -> Toasts {
    expect_context()
}

impl Toasts {
    /// Says that something worked.
    pub fn good(self, text: impl Into<String>) {
        self.push(Tone::Good, text.into());
    }

    /// Says that something failed.
    pub fn bad(self, text: impl Into<String>) {
        self.push(Tone::Bad, text.into());
    }

    fn push(self, tone: Tone, text: String) {
        let id = self.0.with_untracked(|toasts| toasts.last().map_or(1, |toast| toast.id + 1));
        self.0.update(|toasts| toasts.push(Toast { id, tone, text }));
        if tone != Tone::Bad {
            set_timeout(move || self.close(id), SHOWN);
        }
    }

    fn close(self, id: u64) {
        self.0.try_update(|toasts| toasts.retain(|toast| toast.id != id));
    }
}

/// Where the messages show; once a page.
#[component]
pub fn ToastRegion() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.0.get() key=|toast| toast.id let:toast>
                <div class=format!("toast alert-{}", toast.tone.class())>
                    <span>{toast.text.clone()}</span>
                    <button type="button" class="button button-quiet" aria-label=t!("Close") on:click=move |_| toasts.close(toast.id)>
                        "✕"
                    </button>
                </div>
            </For>
        </div>
    }
}
