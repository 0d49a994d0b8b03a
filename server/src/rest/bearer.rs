//! Who acts in a request of the REST API.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};
use kenami_store::{actor::Actor, db::Db, error::Error, tokens};

use crate::web::error::AppError;

/// The account whose token came with the request.
#[derive(Debug, Clone)]
pub(super) struct Token(pub Actor);

impl<S> FromRequestParts<S> for Token
where
    S: Send + Sync,
    Db: FromRef<S>,
{
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let user = match token {
            Some(token) => tokens::authenticate(&Db::from_ref(state), token).await?,
            None => None,
        };
        user.map(|user| Self(Actor::User(user))).ok_or(AppError::Store(Error::Unauthenticated))
    }
}
