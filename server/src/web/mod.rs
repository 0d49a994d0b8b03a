//! The web server: pages, server functions, sign-in, media, uploads, events, downloads, REST, health.

pub mod assets;
pub mod auth;
pub mod csrf;
pub mod download;
pub mod error;
pub mod events;
pub mod headers;
pub mod health;
pub mod language;
pub mod media;
pub mod pages;
mod predictions;
pub mod session;
pub mod upload;

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRef, MatchedPath, Request},
    http::{HeaderName, StatusCode},
    middleware::from_fn,
    response::{IntoResponse, Response},
};
use kenami_store::db::Db;
use leptos::config::LeptosOptions;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::{DefaultOnFailure, TraceLayer},
};

use self::{error::AppError, events::JobEvents};
use crate::{
    config::{DataDir, ServeConfig},
    rest,
    storage::Storage,
};

/// Bytes of a request at most, other than an upload.
const BODY: usize = 1 << 20;
/// How long an answer may take, other than a stream's.
const ANSWER: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every handler may ask for.
#[derive(Debug, Clone, FromRef)]
pub struct AppState {
    /// The database.
    pub db: Db,
    /// The object store.
    pub storage: Storage,
    /// The data folder.
    pub data_dir: DataDir,
    /// Where the browser package lies, for the pages.
    pub leptos: LeptosOptions,
    /// Addresses and cookies.
    pub config: Arc<ServeConfig>,
    /// News of jobs.
    pub events: JobEvents,
}

impl AppState {
    /// The state of a server on `db` and `storage`; `shutdown` ends its open streams.
    pub fn new(db: Db, storage: Storage, data_dir: DataDir, config: ServeConfig, shutdown: CancellationToken) -> Self {
        let leptos = LeptosOptions::builder()
            .output_name("kenami")
            .site_root("target/site")
            .site_pkg_dir("pkg")
            .site_addr(config.listen)
            .build();
        let events = JobEvents::start(db.clone(), shutdown);
        Self { db, storage, data_dir, leptos, config: Arc::new(config), events }
    }
}

/// The whole server.
pub fn router(state: AppState) -> Router {
    let answers = Router::new()
        .merge(pages::router(&state))
        .merge(auth::router())
        .merge(language::router())
        .fallback(pages::not_found)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER))
        .layer(RequestBodyLimitLayer::new(BODY));
    // These take as long as their files and jobs do.
    let streams = Router::new()
        .merge(media::router())
        .merge(download::router())
        .merge(events::router())
        .layer(RequestBodyLimitLayer::new(BODY))
        .merge(upload::router())
        .merge(predictions::router());
    let people = session::with_sessions(answers.merge(streams), &state.db, state.config.secure_cookies);
    let compression = CompressionLayer::new().compress_when(
        DefaultPredicate::new()
            .and(NotForContentType::const_new("application/zip"))
            .and(NotForContentType::const_new("application/octet-stream")),
    );
    people
        .merge(assets::router())
        .merge(rest::router())
        .merge(health::router())
        .layer(from_fn(csrf::require_same_origin))
        .layer(compression)
        .layer(from_fn(health::measure))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(headers::secure))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(())
                .on_failure(DefaultOnFailure::new()),
        )
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .with_state(state)
}

/// Names a request in the logs by its route: the address may hold the secret of a link.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), route, id)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    AppError::Internal(anyhow::anyhow!("panicked: {message}")).into_response()
}
