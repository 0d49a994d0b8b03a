//! Sessions: a cookie names a row in PostgreSQL, the row names the account and its epoch.

use std::{convert::Infallible, fmt};

use axum::{
    Router,
    extract::{FromRequestParts, Request},
    http::request::Parts,
    middleware::Next,
    response::Response,
};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend};
use kenami_domain::language::Language;
use kenami_store::{
    actor::{Actor, UserActor},
    db::Db,
    error::Error,
    people::{self, SignedIn},
};
use serde::{Deserialize, Serialize};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer,
    cookie::{
        SameSite,
        time::{Duration, OffsetDateTime},
    },
};
use tower_sessions_sqlx_store::PostgresStore;

use super::language;

/// The cookie's name.
pub const COOKIE: &str = "kenami_session";
/// How long a session lives without being used.
const LIFETIME: Duration = Duration::days(14);
/// How often a used session's life is prolonged: not with every photo that is shown.
const PROLONG: Duration = Duration::hours(1);
/// Where the session remembers when it was last prolonged.
const SEEN: &str = "seen";

/// The session of a request, from axum-login.
pub type AuthSession = axum_login::AuthSession<Backend>;

/// Looks accounts up for sessions.
#[derive(Debug, Clone)]
pub struct Backend {
    db: Db,
}

/// What a session remembers: it holds as long as the account has this epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionKey {
    user_id: i64,
    epoch: i64,
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user_id.fmt(f)
    }
}

/// A signed-in account, as axum-login knows it.
#[derive(Debug, Clone)]
pub struct SessionUser {
    /// The account.
    pub user: UserActor,
    /// The language that it has chosen for the pages.
    pub language: Option<Language>,
    key: SessionKey,
    epoch: [u8; 8],
}

impl SessionUser {
    fn new(user: UserActor, language: Option<Language>, epoch: i64) -> Self {
        Self { key: SessionKey { user_id: user.id, epoch }, epoch: epoch.to_be_bytes(), user, language }
    }
}

impl From<SignedIn> for SessionUser {
    fn from(signed_in: SignedIn) -> Self {
        // Its language is read with the next request: this one only leads elsewhere.
        Self::new(signed_in.user, None, signed_in.session_epoch)
    }
}

impl AuthUser for SessionUser {
    type Id = SessionKey;

    fn id(&self) -> SessionKey {
        self.key.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.epoch
    }
}

/// Name and password.
pub struct Credentials {
    /// Sign-in name.
    pub name: String,
    /// Password.
    pub password: String,
}

impl AuthnBackend for Backend {
    type User = SessionUser;
    type Credentials = Credentials;
    type Error = Error;

    async fn authenticate(&self, credentials: Credentials) -> Result<Option<SessionUser>, Error> {
        match people::sign_in(&self.db, &credentials.name, &credentials.password).await {
            Ok(signed_in) => Ok(Some(signed_in.into())),
            Err(Error::Unauthenticated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get_user(&self, key: &SessionKey) -> Result<Option<SessionUser>, Error> {
        let account = people::session_user(&self.db, key.user_id, key.epoch).await?;
        Ok(account.map(|account| SessionUser::new(account.user, account.language, key.epoch)))
    }
}

/// Signs `user` in under a new session id, whatever the session was before.
///
/// # Errors
/// The session store fails.
pub async fn sign_in(auth: &mut AuthSession, user: &SessionUser) -> Result<(), axum_login::Error<Backend>> {
    auth.session.cycle_id().await?;
    auth.login(user).await?;
    auth.session.insert(SEEN, OffsetDateTime::now_utc().unix_timestamp()).await?;
    Ok(())
}

/// Puts sessions around `router`: every handler inside may ask for an [`AuthSession`] or a [`CurrentActor`].
pub fn with_sessions<S: Clone + Send + Sync + 'static>(router: Router<S>, db: &Db, secure: bool) -> Router<S> {
    let sessions = SessionManagerLayer::new(PostgresStore::new(db.clone()))
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_secure(secure)
        .with_expiry(Expiry::OnInactivity(LIFETIME));
    let auth = AuthManagerLayerBuilder::new(Backend { db: db.clone() }, sessions).build();
    router.layer(axum::middleware::from_fn(remember_actor)).layer(auth)
}

/// Puts the [`Actor`] and the [`Language`] into the request, where pages and server functions find them, and prolongs the
/// session.
async fn remember_actor(auth: AuthSession, mut request: Request, next: Next) -> Response {
    let actor = match &auth.user {
        Some(user) => Actor::User(user.user.clone()),
        None => Actor::Anonymous,
    };
    if auth.user.is_some() {
        prolong(&auth.session).await;
    }
    let chosen = auth.user.as_ref().and_then(|user| user.language);
    let language = language::of_request(chosen, request.headers());
    request.extensions_mut().insert(actor);
    request.extensions_mut().insert(language);
    next.run(request).await
}

/// Touches the session, so that it is saved and its cookie sent again with a new date.
async fn prolong(session: &Session) {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let seen: i64 = session.get(SEEN).await.ok().flatten().unwrap_or(0);
    if now - seen > PROLONG.whole_seconds()
        && let Err(error) = session.insert(SEEN, now).await
    {
        tracing::warn!("a session cannot be prolonged: {error}");
    }
}

/// Who acts in a request: the session's account, or nobody.
#[derive(Debug, Clone)]
pub struct CurrentActor(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for CurrentActor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Actor>().cloned().unwrap_or(Actor::Anonymous)))
    }
}
