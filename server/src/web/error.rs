//! Failed requests as problem+json (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kenami_store::error::Error;
use serde_json::json;

use crate::storage::StorageError;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// The object store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The request itself does not fit.
    #[error("{1}")]
    Request(StatusCode, String),
    /// The server failed; people see only that it did.
    #[error("{0:#}")]
    Internal(anyhow::Error),
}

/// The result of a handler.
pub type AppResult<T> = Result<T, AppError>;

impl AppError {
    /// A request that does not fit, with what is wrong with it.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::Request(StatusCode::BAD_REQUEST, message.into())
    }

    /// A failure of the server.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::Internal(error.into())
    }

    /// The HTTP status that says this.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Store(error) => match error {
                Error::Unauthenticated => StatusCode::UNAUTHORIZED,
                Error::Forbidden => StatusCode::FORBIDDEN,
                Error::NotFound(_) => StatusCode::NOT_FOUND,
                Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Error::Conflict(_) => StatusCode::CONFLICT,
                Error::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
                Error::Database(_) | Error::Migrate(_) | Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Storage(StorageError::NotFound) => StatusCode::NOT_FOUND,
            Self::Storage(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Request(status, _) => *status,
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = self.status();
        let detail = if status.is_server_error() {
            tracing::error!(error = &self as &dyn std::error::Error, "a request failed");
            "Something went wrong on the server; it has been logged.".to_owned()
        } else {
            self.to_string()
        };
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": detail,
        });
        if let Self::Store(Error::Invalid { field, .. }) = &self {
            problem["field"] = json!(field);
        }
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::Store(Error::TooMany(seconds)) = &self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
