//! Which language a request is answered in: the account's, else the cookie's, else the browser's, else English.

use axum::{
    Form, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use kenami_domain::language::Language;
use kenami_store::{db::Db, people};
use serde::Deserialize;
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use super::{AppState, auth::local_path, error::AppResult, session::CurrentActor};

/// The cookie that remembers the choice of a browser in which nobody is signed in.
const COOKIE: &str = "kenami_language";
/// How long it does.
const REMEMBERED: Duration = Duration::days(365);

/// The route of the language switches: a plain form that needs no script.
pub fn router() -> Router<AppState> {
    Router::new().route("/language", post(choose))
}

/// The language of a request; `chosen` is the account's, where one is signed in.
pub fn of_request(chosen: Option<Language>, headers: &HeaderMap) -> Language {
    chosen.or_else(|| of_cookie(headers)).or_else(|| of_browser(headers)).unwrap_or_default()
}

fn of_cookie(headers: &HeaderMap) -> Option<Language> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).flatten();
    cookies.find(|cookie| cookie.name() == COOKIE)?.value().parse().ok()
}

fn of_browser(headers: &HeaderMap) -> Option<Language> {
    Language::preferred(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?)
}

#[derive(Deserialize)]
struct Choice {
    /// A code; empty leaves it to the browser.
    #[serde(default)]
    language: String,
    /// Where to go on.
    #[serde(default)]
    next: String,
}

/// Remembers the language with the account, where one is signed in, and with the browser, and shows the page again.
async fn choose(
    State(state): State<AppState>,
    State(db): State<Db>,
    CurrentActor(actor): CurrentActor,
    Form(choice): Form<Choice>,
) -> AppResult<Response> {
    let language = choice.language.parse::<Language>().ok();
    if actor.user().is_some() {
        people::set_language(&actor, &db, language).await?;
    }
    let mut response = Redirect::to(local_path(&choice.next).unwrap_or("/")).into_response();
    let cookie = cookie(language, state.config.secure_cookies);
    if let Ok(cookie) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn cookie(language: Option<Language>, secure: bool) -> Cookie<'static> {
    let cookie = Cookie::build((COOKIE, language.map_or("", Language::code)))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .max_age(if language.is_some() { REMEMBERED } else { Duration::ZERO });
    cookie.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_comes_before_the_cookie_and_the_cookie_before_the_browser() {
        let mut headers = HeaderMap::new();
        assert_eq!(of_request(None, &headers), Language::English);
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("ja-JP,ja;q=0.9,en;q=0.8"));
        assert_eq!(of_request(None, &headers), Language::Japanese);
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; kenami_language=en; c=d"));
        assert_eq!(of_request(None, &headers), Language::English);
        assert_eq!(of_request(Some(Language::Japanese), &headers), Language::Japanese);
        headers.insert(header::COOKIE, HeaderValue::from_static("kenami_language=tlh"));
        assert_eq!(of_request(None, &headers), Language::Japanese, "a cookie with another word says nothing");
    }

    #[test]
    fn the_cookie_goes_when_the_choice_is_left_to_the_browser() {
        assert!(cookie(Some(Language::Japanese), true).to_string().starts_with("kenami_language=ja; HttpOnly;"));
        assert!(cookie(None, false).to_string().contains("Max-Age=0"));
    }
}
