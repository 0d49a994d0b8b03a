//! Where a one-time link leads. Looking at the page does not use the link; its button does.

use kenami_domain::view::people::{LinkOffer, Me};
use leptos::{either::EitherOf3, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    api::{ApiError, people},
    app::SignedIn,
    components::{
        alert::{Alert, ErrorView, Loading, Tone},
        button::{Button, Weight},
        field::{Field, described_by},
        language::LanguageSwitch,
    },
    text,
};

/// Says what the link offers and asks for what is needed to use it.
#[component]
pub fn JoinPage() -> impl IntoView {
    let SignedIn(me) = expect_context();
    let params = use_params_map();
    let query = use_query_map();
    let secret = Memo::new(move |_| params.with(|params| params.get("secret").unwrap_or_default()));
    let offer = Resource::new(move || secret.get(), people::read_link_offer);
    let error = move || query.with(|query| query.get("error"));
    view! {
        <Title text=t!("Join")/>
        <main id="main" class="page page-narrow entry">
            <p class="entry-brand"><span lang="ja" aria-hidden="true">"毛並み"</span>" Kenami"</p>
            {move || error().map(|code| view! { <Alert tone=Tone::Bad>{text::sign_in_error(&code)}</Alert> })}
            <Suspense fallback=|| view! { <Loading/> }>
                {move || Suspend::new(async move {
                    let me = me.await.ok().flatten();
                    match offer.await {
                        Ok(offer) => EitherOf3::A(view! { <Offer secret=secret.get_untracked() offer me/> }),
                        Err(ApiError::NotFound(_)) => EitherOf3::B(view! { <DeadLink/> }),
                        Err(error) => EitherOf3::C(view! { <ErrorView error/> }),
                    }
                })}
            </Suspense>
            <LanguageSwitch/>
        </main>
    }
}

#[component]
fn DeadLink() -> impl IntoView {
    crate::api::set_status(404);
    view! {
        <h1>{t!("This link does not work any more")}</h1>
        <p>{t!("Each link works once, and only for some days. Ask whoever sent it for a new one.")}</p>
        <p><a class="button" href="/sign-in" rel="external">{t!("Sign in")}</a></p>
    }
}

#[component]
fn Offer(
    /// The link's secret.
    secret: String,
    /// What it offers.
    offer: LinkOffer,
    /// Who is signed in already.
    me: Option<Me>,
) -> impl IntoView {
    let title = match (&offer.project_name, &offer.user_name) {
        (Some(project), _) => t!("Join {project}", project = project),
        (None, Some(name)) => t!("Welcome back, {name}", name = name),
        (None, None) => t!("Set up this server").to_owned(),
    };
    let role = offer.role.map(|role| {
        let name = text::role_name(role).to_lowercase();
        view! { <p>{text::arranged(t!("You are invited as {role}, who {rights}."), [("role", view! { <b>{name}</b> }.into_any()), ("rights", text::role_rights(role).into_any())])}</p> }
    });
    let administrator =
        offer.administrator.then(|| view! { <p>{t!("The account becomes this server's administrator.")}</p> });
    // An invitation joins the account that is signed in; every other link makes or opens one.
    let signed_in = me.filter(|_| offer.project_name.is_some() && offer.user_name.is_none());
    let form = match (signed_in, offer.user_name) {
        (Some(me), _) => EitherOf3::A(view! {
            <p>{text::arranged(t!("You are signed in as {name}."), [("name", view! { <b>{me.name}</b> }.into_any())])}</p>
            <Button submit=true weight=Weight::Primary>{t!("Join")}</Button>
        }),
        (None, Some(_)) => EitherOf3::B(view! {
            <NewPassword/>
            <Button submit=true weight=Weight::Primary>{t!("Set the password and sign in")}</Button>
        }),
        (None, None) => EitherOf3::C(view! {
            <Field id="name" label=t!("Name") hint=t!("Letters, digits, . _ and -; others see it beside your answers.")>
                <input
                    class="input" id="name" name="name" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false"
                    maxlength="64" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" aria-describedby=described_by("name")
                />
            </Field>
            <NewPassword/>
            <Button submit=true weight=Weight::Primary>{t!("Make the account and sign in")}</Button>
        }),
    };
    view! {
        <h1>{title}</h1>
        {role}
        {administrator}
        <form class="card entry-form" method="post" action="/auth/join">
            <input type="hidden" name="secret" value=secret/>
            {form}
        </form>
    }
}

#[component]
fn NewPassword() -> impl IntoView {
    view! {
        <Field id="password" label=t!("New password") hint=t!("At least 10 characters.")>
            <input
                class="input" id="password" name="password" type="password" required minlength="10" maxlength="256"
                autocomplete="new-password" aria-describedby=described_by("password")
            />
        </Field>
    }
}
