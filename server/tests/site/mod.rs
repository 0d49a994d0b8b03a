//! The whole router on a test's own database, without a network.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
};
use kenami_server::{
    config::{DataDir, ServeConfig},
    storage::Storage,
    web::{self, AppState},
};
use kenami_store::{
    actor::{Actor, UserActor},
    links, people,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Every test account's password.
pub const PASSWORD: &str = "correct horse battery";

/// A server at http://kenami.test.
pub struct Site {
    /// The router.
    pub router: Router,
    /// Its database.
    pub db: PgPool,
    /// Its files.
    pub storage: Storage,
    /// Its data folder.
    pub data_dir: DataDir,
    /// Ends its streams.
    pub shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Site {
    /// A server on `db`, with an empty object store.
    pub async fn new(db: &PgPool) -> Self {
        Self::at(db, None).await
    }

    /// As [`Site::new`], with a public address.
    pub async fn at(db: &PgPool, public_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let data_dir = DataDir::new(folder.path());
        let storage = Storage::folder(&data_dir.objects()).expect("object store");
        let config = ServeConfig::resolve(None, public_url.map(str::to_owned)).expect("settings");
        let shutdown = CancellationToken::new();
        let state = AppState::new(db.clone(), storage.clone(), data_dir.clone(), config, shutdown.clone());
        Self { router: web::router(state), db: db.clone(), storage, data_dir, shutdown, _folder: folder }
    }

    /// Makes an account with [`PASSWORD`]; returns its id.
    pub async fn account(&self, name: &str) -> i64 {
        let id = people::ensure(&Actor::System, &self.db, name).await.expect("an account");
        let secret = links::sign_in_link_for(&Actor::System, &self.db, name).await.expect("a link");
        links::accept(&Actor::Anonymous, &self.db, &secret, None, Some(PASSWORD)).await.expect("a password");
        id
    }

    /// The account `name` as an actor.
    pub async fn actor(&self, name: &str) -> Actor {
        let id = people::ensure(&Actor::System, &self.db, name).await.expect("an account");
        Actor::User(UserActor { id, name: name.to_owned(), administrator: false })
    }

    /// Makes the account `name` and signs it in; returns its cookie.
    pub async fn cookie_of(&self, name: &str) -> String {
        self.account(name).await;
        self.sign_in(name, PASSWORD, "/").await.cookie().expect("a cookie")
    }

    /// Sends the sign-in form as its page does.
    pub async fn sign_in(&self, name: &str, password: &str, next: &str) -> Answer {
        self.post("/auth/sign-in", None, &[("name", name), ("password", password), ("next", next)]).await
    }

    /// Whether the pages know who holds `cookie`.
    pub async fn is_signed_in(&self, cookie: &str) -> bool {
        self.get("/account", Some(cookie)).await.status == StatusCode::OK
    }

    /// GET as a browser asks for a page.
    pub async fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        let mut headers = vec![("accept", "text/html")];
        headers.extend(cookie.map(|cookie| ("cookie", cookie)));
        self.send(Method::GET, path, &headers, "").await
    }

    /// POST of a form from a page of this server.
    pub async fn post(&self, path: &str, cookie: Option<&str>, form: &[(&str, &str)]) -> Answer {
        let mut headers = vec![("sec-fetch-site", "same-origin")];
        headers.extend(cookie.map(|cookie| ("cookie", cookie)));
        let encode = |text: &str| {
            text.bytes().fold(String::new(), |out, byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out + &char::from(byte).to_string(),
                _ => out + &format!("%{byte:02X}"),
            })
        };
        let body: Vec<String> = form.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        self.send(Method::POST, path, &headers, body.join("&")).await
    }

    /// Any request; a POST is a form unless it says otherwise.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path).header(header::HOST, "kenami.test");
        if method == Method::POST && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        let sent = self.router.clone().oneshot(request);
        let response = tokio::time::timeout(Duration::from_secs(60), sent).await.expect("an answer in time");
        let response = response.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 64 << 20).await.expect("a body").to_vec();
        Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as text.
    pub body: String,
    /// Its body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// A header, empty if there is none.
    pub fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// The session's cookie as it was set, with its attributes.
    pub fn set_cookie(&self) -> Option<&str> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies.into_iter().find(|cookie| cookie.starts_with("kenami_session="))
    }

    /// The session's cookie as a browser sends it back.
    pub fn cookie(&self) -> Option<String> {
        self.set_cookie().and_then(|cookie| cookie.split(';').next()).map(str::to_owned)
    }
}
