//! To be written.

use leptos::prelude::*;

/// To be written.
#[component]
pub fn DisagreementsPage() -> impl IntoView {}
