//! Modal dialogs on the browser's own `<dialog>`: focus stays inside, Escape closes.

use leptos::{html, prelude::*};

/// A modal dialog that shows while `open` is true. Its children are made anew each time it opens.
#[component]
pub fn Dialog(
    /// Whether it shows; closing it by Escape or its button sets this to false.
    open: RwSignal<bool>,
    /// Its title.
    #[prop(into)]
    title: String,
    /// Takes most of the window: for pickers and photos.
    #[prop(into, default = false.into())]
    wide: Signal<bool>,
    /// Its content, with its own buttons (see `dialog-actions`).
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        if open.get() {
            if !dialog.open() {
                let _ = dialog.show_modal();
            }
        } else if dialog.open() {
            dialog.close();
        }
    });
    let label = title.clone();
    view! {
        <dialog
            node_ref=node
            class=move || if wide.get() { "dialog dialog-wide" } else { "dialog" }
            aria-label=label
            on:close=move |_| open.set(false)
        >
            <div class="dialog-head">
                <h2>{title}</h2>
                <button type="button" class="button button-quiet" aria-label=t!("Close") on:click=move |_| open.set(false)>
                    "✕"
                </button>
            </div>
            <div class="dialog-body">{move || open.get().then(|| children())}</div>
        </dialog>
    }
}
