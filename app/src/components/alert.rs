//! Messages in the page, and the states in which it has nothing to show.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use super::shell::{query, sign_in_path};
use crate::api::ApiError;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// To know.
    #[default]
    Note,
    /// It worked.
    Good,
    /// Look before going on.
    Warning,
    /// It failed.
    Bad,
}

impl Tone {
    /// The tone's CSS modifier.
    pub fn class(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// A message in the flow of the page.
#[component]
pub fn Alert(
    /// What it is about.
    #[prop(optional)]
    tone: Tone,
    /// The message.
    children: Children,
) -> impl IntoView {
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! { <div class=format!("alert alert-{}", tone.class()) role=role>{children()}</div> }
}

/// An error that came of the last action; nothing while there is none.
#[component]
pub fn ErrorAlert(
    /// The error.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    move || error.get().map(|error| view! { <Alert tone=Tone::Bad>{error.to_string()}</Alert> })
}

/// Says that a list is empty, and what to do about it.
#[component]
pub fn EmptyState(
    /// What there is none of.
    #[prop(into)]
    title: String,
    /// What to do about it: a sentence, a link, a button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            {children.map(|children| view! { <div class="empty-body">{children()}</div> })}
        </div>
    }
}

/// A page, or a part of one, that could not be loaded. Gives the response its status.
#[component]
pub fn ErrorView(
    /// Why.
    error: ApiError,
) -> impl IntoView {
    crate::api::set_status(error.status());
    let title = match &error {
        ApiError::Unauthenticated => t!("You are signed out"),
        ApiError::Forbidden => t!("Not for your role"),
        ApiError::NotFound(_) => t!("Nothing here"),
        ApiError::Offline => t!("No connection"),
        _ => t!("This did not work"),
    };
    let hint = match &error {
        ApiError::Forbidden => Some(t!("A lead of the project can change your role.")),
        ApiError::NotFound(_) => Some(t!("It may have been removed, or you are no member of its project.")),
        _ => None,
    };
    let location = use_location();
    let sign_in = matches!(error, ApiError::Unauthenticated).then(|| {
        let here = format!("{}{}", location.pathname.get_untracked(), query(&location.search.get_untracked()));
        view! { <a class="button button-primary" href=sign_in_path(&here) rel="external">{t!("Sign in")}</a> }
    });
    view! {
        <Title text=title/>
        <div class="empty empty-error" role="alert">
            <h1 class="empty-title">{title}</h1>
            <div class="empty-body">
                <p>{error.to_string()}</p>
                {hint.map(|hint| view! { <p class="quiet">{hint}</p> })}
                {sign_in}
            </div>
        </div>
    }
}

/// Stands in while data loads.
#[component]
pub fn Loading(
    /// What loads.
    #[prop(optional, into)]
    what: Option<String>,
) -> impl IntoView {
    let text = what.map_or_else(|| t!("Loading…").to_owned(), |what| t!("Loading {what}…", what = what));
    view! { <div class="loading" role="status"><span class="spinner" aria-hidden="true"></span>{text}</div> }
}
