//! What a server function says when it fails.

use std::fmt;

use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};
use serde::{Deserialize, Serialize};

use crate::text::translate_sentence;

/// A failed server function, as the page learns of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiError {
    /// Nobody is signed in.
    Unauthenticated,
    /// The role is too low.
    Forbidden,
    /// There is no such thing, or the user may not know of it.
    NotFound(String),
    /// A field of the input does not fit.
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it and what would fit.
        message: String,
    },
    /// The world has changed since the page looked.
    Conflict(String),
    /// Too many attempts: seconds to wait.
    TooMany(u64),
    /// The server cannot be reached.
    Offline,
    /// The server failed; its log says why.
    Internal,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.write_str(t!("Sign in first.")),
            Self::Forbidden => f.write_str(t!("Your role here does not allow this.")),
            Self::NotFound(what) => f.write_str(&t!("There is no such {thing}.", thing = translate_sentence(what))),
            Self::Invalid { message, .. } | Self::Conflict(message) => f.write_str(message),
            Self::TooMany(seconds) => {
                f.write_str(&t!("Too many attempts: try again in {seconds} seconds.", seconds = seconds))
            }
            Self::Offline => f.write_str(t!("The server cannot be reached. Check the connection and try again.")),
            Self::Internal => f.write_str(t!("Something went wrong on the server; it has been logged.")),
        }
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// The message, if the error concerns `field`.
    pub fn for_field(&self, field: &str) -> Option<&str> {
        match self {
            Self::Invalid { field: of, message } if of == field => Some(message),
            _ => None,
        }
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound(_) => 404,
            Self::Invalid { .. } => 422,
            Self::Conflict(_) => 409,
            Self::TooMany(_) => 429,
            Self::Offline => 503,
            Self::Internal => 500,
        }
    }
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        match value {
            ServerFnErrorErr::Request(_) => Self::Offline,
            ServerFnErrorErr::Args(message) | ServerFnErrorErr::MissingArg(message) => {
                Self::Invalid { field: String::new(), message }
            }
            _ => Self::Internal,
        }
    }
}

#[cfg(feature = "ssr")]
impl From<kenami_store::error::Error> for ApiError {
    fn from(error: kenami_store::error::Error) -> Self {
        use kenami_store::error::Error;

        let error = match error {
            Error::Unauthenticated => Self::Unauthenticated,
            Error::Forbidden => Self::Forbidden,
            Error::NotFound(what) => Self::NotFound(what.to_owned()),
            Error::Invalid { field, message } => {
                Self::Invalid { field: field.to_owned(), message: translate_sentence(&message).into_owned() }
            }
            Error::Conflict(message) => Self::Conflict(translate_sentence(&message).into_owned()),
            Error::TooMany(seconds) => Self::TooMany(seconds),
            Error::Database(_) | Error::Migrate(_) | Error::Internal(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a server function failed");
                Self::Internal
            }
        };
        set_status(error.status());
        error
    }
}

/// Gives the response that is being made this HTTP status, unless it leads elsewhere; does nothing in the browser.
pub fn set_status(status: u16) {
    #[cfg(feature = "ssr")]
    if let (Some(response), Ok(status)) =
        (leptos::prelude::use_context::<leptos_axum::ResponseOptions>(), axum::http::StatusCode::from_u16(status))
    {
        // Whoever is not signed in is led to the sign-in page, whatever else the page could not load.
        let leads_elsewhere =
            response.0.read().is_ok_and(|parts| parts.headers.contains_key(axum::http::header::LOCATION));
        if !leads_elsewhere {
            response.set_status(status);
        }
    }
    #[cfg(not(feature = "ssr"))]
    let _ = status;
}
