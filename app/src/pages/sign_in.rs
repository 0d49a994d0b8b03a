//! The sign-in page: a plain form, it works without scripts.

use leptos::{either::Either, prelude::*};
use leptos_meta::Title;
use leptos_router::{components::Redirect, hooks::use_query_map};

use crate::{
    app::SignedIn,
    components::{
        alert::{Alert, Tone},
        button::{Button, Weight},
        field::Field,
        language::LanguageSwitch,
    },
    text::sign_in_error,
};

/// Asks for name and password and leads back to the page that was asked for.
#[component]
pub fn SignInPage() -> impl IntoView {
    let SignedIn(me) = expect_context();
    let query = use_query_map();
    let next = move || query.with(|query| local_path(query.get("next").as_deref()));
    let error = move || query.with(|query| query.get("error"));
    view! {
        <Title text=t!("Sign in")/>
        <Suspense>
            {move || Suspend::new(async move {
                if matches!(me.await, Ok(Some(_))) {
                    Either::Left(view! { <Redirect path=next()/> })
                } else {
                    Either::Right(())
                }
            })}
        </Suspense>
        <main id="main" class="page page-narrow entry">
            <h1 class="entry-brand"><span lang="ja" aria-hidden="true">"毛並み"</span>" Kenami"</h1>
            <p class="quiet">{t!("Label photos together, under written guidelines.")}</p>
            {move || error().map(|code| view! { <Alert tone=Tone::Bad>{sign_in_error(&code)}</Alert> })}
            <form class="card entry-form" method="post" action="/auth/sign-in">
                <input type="hidden" name="next" value=next/>
                <Field id="name" label=t!("Name")>
                    <input class="input" id="name" name="name" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64"/>
                </Field>
                <Field id="password" label=t!("Password")>
                    <input class="input" id="password" name="password" type="password" required autocomplete="current-password" maxlength="256"/>
                </Field>
                <Button submit=true weight=Weight::Primary>{t!("Sign in")}</Button>
            </form>
            <p class="quiet">{t!("No account, or no password any more? A lead of your project can send you an invitation, an administrator a new sign-in link.")}</p>
            <LanguageSwitch/>
        </main>
    }
}

/// `next` if it is a path of this server, else the list of projects.
fn local_path(next: Option<&str>) -> String {
    next.filter(|next| {
        next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control)
    })
    .unwrap_or("/")
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_on_this_server() {
        assert_eq!(local_path(Some("/p/pets?a=b")), "/p/pets?a=b");
        for bad in [
            None,
            Some(""),
            Some("https://evil.example"),
            Some("//evil.example"),
            Some("/\\evil.example"),
            Some("/\t/evil.example"),
        ] {
            assert_eq!(local_path(bad), "/", "{bad:?}");
        }
    }
}
