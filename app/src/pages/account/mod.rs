//! One's own account: password, keys and API tokens.

mod keys;

use kenami_domain::view::people::{Me, TokenRow};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use crate::{
    api::people::{CreateToken, RevokeToken, tokens},
    app::SignedIn,
    components::{
        alert::{Alert, EmptyState, ErrorAlert, Tone},
        button::{Button, Weight},
        copy::SecretOnce,
        field::{Field, described_by},
        language::LanguageSetting,
        loaded::loaded,
        page::{PageHeader, Table},
        time::Ago,
    },
    text,
};

/// Password, keys and API tokens of the signed-in user.
#[component]
pub fn AccountPage() -> impl IntoView {
    let SignedIn(me) = expect_context();
    let query = use_query_map();
    let error = move || query.with(|query| query.get("error"));
    let saved = move || query.with(|query| query.get("changed").is_some());
    view! {
        <main id="main" class="page page-medium">
            <PageHeader title=t!("Your account")/>
            {move || error().map(|code| view! { <Alert tone=Tone::Bad>{text::sign_in_error(&code)}</Alert> })}
            {move || saved().then(|| view! { <Alert tone=Tone::Good>{t!("The password is changed. Other browsers are signed out.")}</Alert> })}
            {loaded(me, |me| me.map(|me| view! { <Password me=me.clone()/> <LanguageSetting chosen=me.language/> }))}
            <Tokens/>
            <keys::Keys/>
        </main>
    }
}

#[component]
fn Password(
    /// The user.
    me: Me,
) -> impl IntoView {
    let current = me.has_password.then(|| {
        view! {
            <Field id="current" label=t!("Current password")>
                <input class="input" id="current" name="current" type="password" required autocomplete="current-password" maxlength="256"/>
            </Field>
        }
    });
    view! {
        <section class="stack">
            <h2>{t!("Password")}</h2>
            <p class="quiet">{text::arranged(t!("You sign in as {name}."), [("name", view! { <b>{me.name.clone()}</b> }.into_any())])}</p>
            <form class="form" method="post" action="/auth/password">
                <input type="text" name="username" value=me.name autocomplete="username" hidden readonly/>
                {current}
                <Field id="new" label=t!("New password") hint=t!("At least 10 characters. Other browsers are signed out.")>
                    <input
                        class="input" id="new" name="new" type="password" required minlength="10" maxlength="256"
                        autocomplete="new-password" aria-describedby=described_by("new")
                    />
                </Field>
                <div class="row"><Button submit=true weight=Weight::Primary>{t!("Change password")}</Button></div>
            </form>
        </section>
    }
}

#[component]
fn Tokens() -> impl IntoView {
    let create = ServerAction::<CreateToken>::new();
    let revoke = ServerAction::<RevokeToken>::new();
    let list = Resource::new(move || (create.version().get(), revoke.version().get()), |_| tokens());
    let error = Signal::derive(move || {
        create.value().get().and_then(Result::err).or_else(|| revoke.value().get().and_then(Result::err))
    });
    view! {
        <section class="stack">
            <h2>{t!("API tokens")}</h2>
            <p class="quiet">{text::arranged(t!("Scripts send a token as {header} and act as you."), [("header", view! { <code>"Authorization: Bearer …"</code> }.into_any())])}</p>
            <ErrorAlert error/>
            {move || create.value().get().and_then(Result::ok).map(|secret| {
                view! { <SecretOnce secret note=t!("The new token:")/> }
            })}
            <ActionForm action=create attr:class="form-inline">
                <Field id="token-label" label=t!("What it is for")>
                    <input class="input" id="token-label" name="label" required maxlength="100" placeholder=t!("nightly export")/>
                </Field>
                <Button submit=true busy=create.pending()>{t!("Make a token")}</Button>
            </ActionForm>
            {loaded(list, move |tokens| if tokens.is_empty() {
                Either::Left(view! { <EmptyState title=t!("No tokens")/> })
            } else {
                let rows = tokens.into_iter().map(|token| view! { <Row token revoke/> }).collect_view();
                Either::Right(view! {
                    <Table caption=t!("API tokens")>
                        <thead><tr><th scope="col">{t!("For")}</th><th scope="col">{t!("Made")}</th><th scope="col">{t!("Last used")}</th><th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th></tr></thead>
                        <tbody>{rows}</tbody>
                    </Table>
                })
            })}
        </section>
    }
}

#[component]
fn Row(
    /// The token.
    token: TokenRow,
    /// Revokes it.
    revoke: ServerAction<RevokeToken>,
) -> impl IntoView {
    view! {
        <tr>
            <th scope="row">{token.label.clone()}</th>
            <td><Ago at=token.created_at/></td>
            <td>{match token.last_used_at {
                Some(at) => Either::Left(view! { <Ago at/> }),
                None => Either::Right(view! { <span class="quiet">{t!("never")}</span> }),
            }}</td>
            <td class="end">
                <ActionForm action=revoke>
                    <input type="hidden" name="id" value=token.id.to_string()/>
                    <button type="submit" class="button button-quiet" aria-label=t!("Revoke {name}", name = token.label)>{t!("Revoke")}</button>
                </ActionForm>
            </td>
        </tr>
    }
}
