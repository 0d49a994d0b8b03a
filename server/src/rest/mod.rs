//! The REST API for scripts: `/api/v1/...`, described by `/api/openapi.json`.
//!
//! Every handler is a thin call of the store. `Authorization: Bearer TOKEN` says who acts; errors are problem+json;
//! listings are pages of `items` with a `next_cursor` to give back.

mod annotators;
mod bearer;
mod datasets;
mod experiments;
mod gold;
mod guidelines;
mod jobs;
mod labels;
mod listing;
mod photos;
mod projects;
mod review;
mod rounds;
mod runs;
mod schema;
mod suggestions;

use axum::{Json, Router, routing::get};
use kenami_domain::view::dataset::ExportFormat;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

use crate::web::AppState;

/// The description's head; paths and types are gathered from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(title = "Kenami", description = "Labelled photos, frozen datasets and training runs, for scripts."),
    components(schemas(Problem, ExportFormat)),
    modifiers(&BearerToken),
    security(("token" = []))
)]
struct Api;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let description = "An API token: make one on the account page, or by `kenami admin token USER`.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
        api.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// An error (RFC 9457, application/problem+json).
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "describes what web::error writes")]
struct Problem {
    /// Always `about:blank`.
    r#type: String,
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// The field of the input that does not fit, where it is one.
    field: Option<String>,
}

/// What each operation may answer instead of its result.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "describes what web::error writes")]
enum Refused {
    /// There is no token, or it no longer holds.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] Problem),
    /// The account's role does not allow this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// There is no such thing, or the account may not know of it.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
    /// The world has changed, or the name is taken.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// The input does not fit.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
}

/// `/api/v1/...` and `/api/openapi.json`.
pub fn router() -> Router<AppState> {
    let (router, description) = OpenApiRouter::with_openapi(Api::openapi())
        .merge(projects::router())
        .merge(photos::router())
        .merge(guidelines::router())
        .merge(labels::router())
        .merge(review::router())
        .merge(suggestions::router())
        .merge(schema::router())
        .merge(gold::router())
        .merge(annotators::router())
        .merge(datasets::router())
        .merge(runs::router())
        .merge(experiments::router())
        .merge(rounds::router())
        .merge(jobs::router())
        .split_for_parts();
    let description = std::sync::Arc::new(description);
    router.route("/api/openapi.json", get(async move || Json((*description).clone())))
}
