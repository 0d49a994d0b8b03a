//! Buttons. A link that looks like one is `<a class="button">`.

use leptos::prelude::*;

/// How much a button weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weight {
    /// One of several.
    #[default]
    Plain,
    /// What the page is for; one a page.
    Primary,
    /// Takes something away.
    Danger,
    /// Without a frame, in rows and toolbars.
    Quiet,
}

/// A button. Give it `on:click`, or `submit=true` inside a form.
#[component]
pub fn Button(
    /// How much it weighs.
    #[prop(optional)]
    weight: Weight,
    /// Submits the form that it stands in.
    #[prop(optional)]
    submit: bool,
    /// Cannot be used now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// At work: cannot be used and says so.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Its words.
    children: Children,
) -> impl IntoView {
    let class = match weight {
        Weight::Plain => "button",
        Weight::Primary => "button button-primary",
        Weight::Danger => "button button-danger",
        Weight::Quiet => "button button-quiet",
    };
    view! {
        <button
            type=if submit { "submit" } else { "button" }
            class=class
            disabled=move || disabled.get() || busy.get()
            aria-busy=move || if busy.get() { "true" } else { "false" }
        >
            {children()}
        </button>
    }
}
