//! To be written.

use leptos::prelude::*;

/// To be written.
#[component]
pub fn RunsPage() -> impl IntoView {}

/// To be written.
#[component]
pub fn RunPage() -> impl IntoView {}
