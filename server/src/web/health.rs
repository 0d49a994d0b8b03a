//! Whether the server lives, whether it can work, and its figures.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use kenami_store::db::Db;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::AppState;

/// GET /healthz, /readyz, /metrics
pub fn router() -> Router<AppState> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).route("/metrics", get(figures))
}

/// Ready as long as the database answers within two seconds.
async fn ready(State(db): State<Db>) -> Response {
    let answer = async { sqlx::Connection::ping(&mut *db.acquire().await?).await };
    match tokio::time::timeout(Duration::from_secs(2), answer).await {
        Ok(Ok(())) => "ready\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}

async fn figures(State(db): State<Db>) -> Response {
    let Some(recorder) = recorder() else { return StatusCode::NOT_FOUND.into_response() };
    metrics::gauge!("kenami_database_connections").set(db.size());
    metrics::gauge!("kenami_database_connections_idle").set(u32::try_from(db.num_idle()).unwrap_or(u32::MAX));
    recorder.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render()).into_response()
}

/// The process's recorder of figures, installed at first use; none if another one is.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(
                    Matcher::Full("kenami_http_request_seconds".to_owned()),
                    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
                )
                .and_then(PrometheusBuilder::install_recorder)
                .inspect_err(|error| tracing::warn!("/metrics is not available: {error}"))
                .ok()
        })
        .as_ref()
}

/// Counts and times requests by route. Never by address: it may hold the secret of a link.
pub async fn measure(request: Request, next: Next) -> Response {
    recorder();
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let begin = Instant::now();
    let response = next.run(request).await;
    let (elapsed, status) = (begin.elapsed(), response.status());
    tracing::debug!(method, route, status = status.as_u16(), ms = elapsed.as_millis(), "request");
    metrics::counter!("kenami_http_requests_total", "method" => method.clone(), "route" => route.clone(), "status" => status.as_u16().to_string())
        .increment(1);
    metrics::histogram!("kenami_http_request_seconds", "method" => method, "route" => route).record(elapsed);
    response
}
