//! A page's head, its tables' frame and its pager.

use leptos::prelude::*;
use leptos_meta::Title;

/// A page's title with its actions at the right.
#[component]
pub fn PageHeader(
    /// The title, also the window's.
    #[prop(into)]
    title: String,
    /// A sentence below it.
    #[prop(optional, into)]
    lead: Option<String>,
    /// Buttons and links.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <header class="page-head">
            <div class="page-head-text">
                <h1>{title}</h1>
                {lead.map(|lead| view! { <p class="quiet">{lead}</p> })}
            </div>
            {children.map(|children| view! { <div class="page-actions">{children()}</div> })}
        </header>
    }
}

/// A table that scrolls sideways inside its frame where the window is narrow. Children: `thead` and `tbody`.
#[component]
pub fn Table(
    /// What it lists, read out by screen readers.
    #[prop(into)]
    caption: String,
    /// The rows.
    children: Children,
) -> impl IntoView {
    // A region that can be focused: it must scroll by keyboard.
    let label = caption.clone();
    view! {
        <div class="table-frame" role="region" aria-label=label tabindex="0">
            <table class="table">
                <caption class="visually-hidden">{caption}</caption>
                {children()}
            </table>
        </div>
    }
}

/// Back to the first page and on to the next, for listings with a cursor.
#[component]
pub fn Pager(
    /// The cursor in use; none on the first page.
    cursor: RwSignal<Option<i64>>,
    /// The next page's cursor; none on the last.
    #[prop(into)]
    next: Signal<Option<i64>>,
) -> impl IntoView {
    view! {
        <nav class="pager" aria-label=t!("Pages")>
            <button type="button" class="button" disabled=move || cursor.get().is_none() on:click=move |_| cursor.set(None)>
                {t!("First")}
            </button>
            <button type="button" class="button" disabled=move || next.get().is_none() on:click=move |_| cursor.set(next.get_untracked())>
                {t!("Next")}
            </button>
        </nav>
    }
}
