//! Listings in pages.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use kenami_domain::view::Page;
use serde::{Deserialize, Serialize};

use crate::web::error::AppError;

/// Rows of a page, where nothing is said.
const DEFAULT: usize = 50;
/// Rows of a page at most.
const MOST: usize = 500;

/// A page of a listing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Listing<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Give it back as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl<T> From<Page<T>> for Listing<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next_cursor.map(|cursor| cursor.to_string()) }
    }
}

impl<T> From<Vec<T>> for Listing<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// Which page.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows a page: 1 to 500, 50 if not given.
    limit: Option<usize>,
}

impl Paging {
    /// Rows a page.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(DEFAULT).clamp(1, MOST)
    }

    /// The cursor as the listing made it.
    pub fn text(&self) -> Option<&str> {
        self.cursor.as_deref().filter(|cursor| !cursor.is_empty())
    }

    /// The cursor of a listing whose cursors are numbers.
    pub fn number<N: std::str::FromStr>(&self) -> Result<Option<N>, AppError> {
        let invalid = |_| kenami_store::error::Error::invalid("cursor", "is none that a page gave");
        Ok(self.text().map(str::parse).transpose().map_err(invalid)?)
    }
}

/// Query parameters; one that does not fit is answered by problem+json.
#[derive(Debug)]
pub(super) struct Params<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|error| AppError::bad_request(error.body_text()))
    }
}

/// A JSON body; one that does not fit is answered by problem+json.
#[derive(Debug)]
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = AppError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, AppError> {
        let body = axum::Json::<T>::from_request(request, state).await;
        body.map(|axum::Json(body)| Self(body)).map_err(|error| AppError::Request(error.status(), error.body_text()))
    }
}

/// Parts of the address; one that does not fit is answered by problem+json.
#[derive(Debug)]
pub(super) struct At<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path))
            .map_err(|error| AppError::Request(axum::http::StatusCode::NOT_FOUND, error.body_text()))
    }
}
