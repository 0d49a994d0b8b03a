//! Sign-in, sign-out, joining by a link and the password: plain forms that need no script.

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use kenami_store::{actor::Actor, annotate, db::Db, error::Error, links, people};
use serde::Deserialize;

use super::{
    AppState,
    session::{self, AuthSession, Credentials, CurrentActor, SessionUser},
};

/// The routes below /auth.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/auth/sign-in", post(sign_in))
        .route("/auth/sign-out", post(sign_out))
        .route("/auth/join", post(join))
        .route("/auth/password", post(change_password))
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(mut auth: AuthSession, Form(form): Form<SignInForm>) -> Response {
    let next = local_path(&form.next);
    let back = |code: &str| match next {
        Some(path) => see_other(&format!("/sign-in?error={code}&next={}", encode(path))),
        None => see_other(&format!("/sign-in?error={code}")),
    };
    let credentials = Credentials { name: form.name.trim().to_owned(), password: form.password };
    let user = match auth.authenticate(credentials).await {
        Ok(Some(user)) => user,
        Ok(None) => return back("credentials"),
        Err(axum_login::Error::Backend(Error::TooMany(_))) => return back("throttled"),
        Err(error) => return back(internal(&error)),
    };
    match session::sign_in(&mut auth, &user).await {
        Ok(()) => see_other(next.unwrap_or("/")),
        Err(error) => back(internal(&error)),
    }
}

async fn sign_out(State(db): State<Db>, CurrentActor(actor): CurrentActor, mut auth: AuthSession) -> Response {
    // Photos that this person was shown go back to the queue at once.
    if actor.user().is_some()
        && let Err(error) = annotate::release_all(&actor, &db).await
    {
        tracing::warn!("photos of somebody who signs out stay claimed until they expire: {error}");
    }
    if let Err(error) = auth.logout().await {
        internal(&error);
    }
    see_other("/sign-in")
}

#[derive(Deserialize)]
struct JoinForm {
    secret: String,
    name: Option<String>,
    password: Option<String>,
}

async fn join(
    State(db): State<Db>,
    CurrentActor(actor): CurrentActor,
    mut auth: AuthSession,
    Form(form): Form<JoinForm>,
) -> Response {
    let secret = form.secret.trim();
    let back = |code: &str| no_referrer(see_other(&format!("/join/{}?error={code}", encode(secret))));
    let name = form.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let password = form.password.as_deref().filter(|password| !password.is_empty());
    let signed_in = match links::accept(&actor, &db, secret, name, password).await {
        Ok(signed_in) => signed_in,
        Err(Error::NotFound(_)) => return back("link"),
        Err(Error::Invalid { field: "password", .. }) => return back("password"),
        Err(Error::Invalid { .. }) => return back("name"),
        Err(Error::Conflict(_)) => return back("taken"),
        Err(Error::TooMany(_)) => return back("throttled"),
        Err(error) => return back(internal(&error)),
    };
    match session::sign_in(&mut auth, &SessionUser::from(signed_in)).await {
        Ok(()) => no_referrer(see_other("/")),
        Err(error) => {
            internal(&error);
            see_other("/sign-in?error=internal")
        }
    }
}

#[derive(Deserialize)]
struct PasswordForm {
    current: Option<String>,
    #[serde(default)]
    new: String,
}

async fn change_password(State(db): State<Db>, mut auth: AuthSession, Form(form): Form<PasswordForm>) -> Response {
    let Some(user) = auth.user.clone().map(|user| user.user) else { return see_other("/sign-in?next=%2Faccount") };
    let back = |code: &str| see_other(&format!("/account?error={code}"));
    let current = form.current.as_deref().filter(|password| !password.is_empty());
    let actor = Actor::User(user.clone());
    let session_epoch = match people::change_password(&actor, &db, current, &form.new).await {
        Ok(epoch) => epoch,
        Err(Error::Invalid { field: "current", .. }) => return back("credentials"),
        Err(Error::Invalid { .. }) => return back("password"),
        Err(Error::TooMany(_)) => return back("throttled"),
        Err(error) => return back(internal(&error)),
    };
    // The other sessions have died with the old epoch; this one goes on.
    match session::sign_in(&mut auth, &people::SignedIn { user, session_epoch }.into()).await {
        Ok(()) => see_other("/account?changed=password"),
        Err(error) => {
            internal(&error);
            see_other("/sign-in?error=internal")
        }
    }
}

/// Logs what people need not see.
fn internal(error: &(dyn std::error::Error + 'static)) -> &'static str {
    tracing::error!(error, "signing in or out failed");
    "internal"
}

fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// Keeps a link's secret out of the next request's referrer.
fn no_referrer(mut response: Response) -> Response {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `next`, if it is a path on this server and nothing that a browser could read as another one.
pub(super) fn local_path(next: &str) -> Option<&str> {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (plain && next.starts_with('/') && !next.starts_with("//") && next.len() <= 2000).then_some(next)
}

/// Percent-encodes all but letters, digits and `-_.~`.
fn encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_sent_back_only_to_this_server() {
        assert_eq!(local_path("/p/pets/annotate?x=1"), Some("/p/pets/annotate?x=1"));
        for evil in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x", "p", "/\t/evil"]
        {
            assert_eq!(local_path(evil), None, "{evil:?}");
        }
    }

    #[test]
    fn what_goes_into_an_address_is_encoded() {
        assert_eq!(encode("/p/a b?c&d"), "%2Fp%2Fa%20b%3Fc%26d");
    }
}
