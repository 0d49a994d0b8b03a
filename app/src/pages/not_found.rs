//! The page for addresses that lead nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::set_status;

/// Says that there is no such page, with the status 404.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    set_status(404);
    view! {
        <Title text=t!("Not found")/>
        <main id="main" class="page page-narrow">
            <div class="empty">
                <h1 class="empty-title">{t!("There is no such page")}</h1>
                <div class="empty-body">
                    <p>{t!("The address may be mistyped, or what it named is gone.")}</p>
                    <a class="button" href="/">{t!("To the projects")}</a>
                </div>
            </div>
        </main>
    }
}
