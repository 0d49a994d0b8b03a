//! What surrounds every page of a signed-in user.

use kenami_domain::view::people::Me;
use leptos::{either::EitherOf3, prelude::*};
use leptos_router::{
    components::{Outlet, Redirect},
    hooks::use_location,
};

use super::{alert::ErrorView, language::LanguageSwitch, toast::ToastRegion};
use crate::app::SignedIn;

/// The bar at the top and the page below; leads to the sign-in page whoever is not signed in.
#[component]
pub fn SignedInShell() -> impl IntoView {
    let SignedIn(me) = expect_context();
    let location = use_location();
    view! {
        <a class="skip-link" href="#main" rel="external">{t!("Skip to the page")}</a>
        <Suspense>
            {move || Suspend::new(async move {
                match me.await {
                    Ok(Some(me)) => EitherOf3::A(view! { <TopBar me/> }),
                    Ok(None) => {
                        let here = format!("{}{}", location.pathname.get_untracked(), query(&location.search.get_untracked()));
                        EitherOf3::B(view! { <Redirect path=sign_in_path(&here)/> })
                    }
                    Err(error) => EitherOf3::C(view! { <ErrorView error/> }),
                }
            })}
        </Suspense>
        <Outlet/>
        <ToastRegion/>
    }
}

/// The name of the product, the user's account and the way out.
#[component]
fn TopBar(
    /// The user.
    me: Me,
) -> impl IntoView {
    view! {
        <header class="topbar">
            <a class="brand" href="/"><span lang="ja" aria-hidden="true">"毛並み"</span>" Kenami"</a>
            <nav class="topbar-nav" aria-label=t!("Account")>
                {me.administrator.then(|| view! { <a class="topbar-link" href="/admin/users">{t!("Accounts")}</a> })}
                <a class="topbar-link" href="/account" title=t!("Your account")>{me.name}</a>
                <LanguageSwitch/>
                <form method="post" action="/auth/sign-out">
                    <button type="submit" class="button button-quiet">{t!("Sign out")}</button>
                </form>
            </nav>
        </header>
    }
}

/// The query of an address with its question mark; empty where there is none.
pub fn query(search: &str) -> String {
    let search = search.trim_start_matches('?');
    if search.is_empty() { String::new() } else { format!("?{search}") }
}

/// The sign-in page's address, which leads back to `next`.
pub fn sign_in_path(next: &str) -> String {
    if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={}", encode(next)) }
}

/// Percent-encodes what has a meaning in a query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte as char),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_survives_the_query() {
        assert_eq!(sign_in_path("/"), "/sign-in");
        assert_eq!(sign_in_path("/p/pets/runs?a=b&c"), "/sign-in?next=/p/pets/runs%3Fa%3Db%26c");
    }
}
