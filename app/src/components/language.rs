//! Choosing the pages' language.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::shell::query;
use crate::text::{Language, page_language};

/// A button per other language, which says its name in that language and shows the same page in it. A plain form: the page
/// loads again, with or without scripts.
#[component]
pub fn LanguageSwitch() -> impl IntoView {
    let next = here();
    let buttons = Language::ALL
        .into_iter()
        .filter(|language| *language != page_language())
        .map(|language| {
            view! {
                <button
                    type="submit" class="button button-quiet" name="language" value=language.code() lang=language.code()
                >
                    {language.own_name()}
                </button>
            }
        })
        .collect_view();
    view! {
        <form class="language-switch" method="post" action="/language">
            <input type="hidden" name="next" value=next/>
            {buttons}
        </form>
    }
}

/// The account's language: one of them, or whatever the browser asks for.
#[component]
pub fn LanguageSetting(
    /// What is chosen now.
    chosen: Option<Language>,
) -> impl IntoView {
    let options = Language::ALL.map(|language| {
        view! {
            <option value=language.code() lang=language.code() selected=chosen == Some(language)>{language.own_name()}</option>
        }
    });
    view! {
        <section class="stack">
            <h2 id="language-heading">{t!("Language")}</h2>
            <form class="row" method="post" action="/language">
                <input type="hidden" name="next" value="/account"/>
                <select class="select select-short" name="language" aria-labelledby="language-heading">
                    <option value="" selected=chosen.is_none()>{t!("As the browser asks")}</option>
                    {options}
                </select>
                <button type="submit" class="button">{t!("Use this language")}</button>
            </form>
        </section>
    }
}

/// The address of the page that shows, with its query.
fn here() -> impl Fn() -> String + Clone {
    let location = use_location();
    move || format!("{}{}", location.pathname.get(), query(&location.search.get()))
}
