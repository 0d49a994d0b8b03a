//! To be written.

use leptos::prelude::*;

/// To be written.
#[component]
pub fn DatasetsPage() -> impl IntoView {}

/// To be written.
#[component]
pub fn DatasetPage() -> impl IntoView {}
