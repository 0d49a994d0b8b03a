//! Disagreements, decisions, agreement.

use axum::{Json, extract::State, http::StatusCode};
use std::sync::Arc;

use kenami_domain::{
    agreement::AgreementReport,
    view::review::{
        AgreementBy, AttributeAgreement, Decision, DecisionInput, Disagreement, DisagreementFilter, DisputedPair,
        QueueCause, Suspects,
    },
};
use kenami_store::{db::Db, review};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Refused,
    bearer::Token,
    listing::{At, Body, Listing, Paging, Params},
};
use crate::web::{AppState, error::AppResult};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(pairs))
        .routes(routes!(decide))
        .routes(routes!(decide_many))
        .routes(routes!(reopen))
        .routes(routes!(agreement))
        .routes(routes!(report))
        .routes(routes!(suspects, find_suspects))
}

/// Which disagreements
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// The queue.
    #[serde(default)]
    #[param(inline)]
    cause: QueueCause,
    /// Attribute key.
    attribute: Option<String>,
    /// An answer key that must occur among the votes, together with `b`; the same twice finds every photo with it.
    a: Option<String>,
    /// The other answer key.
    b: Option<String>,
    /// Also those that have been decided.
    #[serde(default)]
    decided: bool,
}

/// Photos and attributes whose answers differ
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/disagreements", tag = "review",
    params(("project" = String, Path, description = "Its key"), Filter, Paging),
    responses((status = 200, body = Listing<Disagreement>), Refused)
)]
async fn list(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Params(filter): Params<Filter>,
    Params(paging): Params<Paging>,
) -> AppResult<Json<Listing<Disagreement>>> {
    let filter = DisagreementFilter {
        cause: filter.cause,
        attribute: filter.attribute,
        pair: filter.a.zip(filter.b),
        decided: filter.decided,
        cursor: paging.number()?,
    };
    Ok(Json(review::disagreements(&actor, &db, &project, &filter, paging.limit()).await?.into()))
}

/// Pairs of answers that stand against each other
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/disagreements/pairs", tag = "review",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<DisputedPair>), Refused)
)]
async fn pairs(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<DisputedPair>>> {
    Ok(Json(review::pairs(&actor, &db, &project).await?.into()))
}

/// Decide what a photo's attribute is; an earlier decision is superseded
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/decisions", tag = "review",
    params(("project" = String, Path, description = "Its key")), request_body = DecisionInput,
    responses((status = 201, body = Decision), Refused)
)]
async fn decide(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(input): Body<DecisionInput>,
) -> AppResult<(StatusCode, Json<Decision>)> {
    Ok((StatusCode::CREATED, Json(review::decide(&actor, &db, &project, input).await?)))
}

/// How many were decided
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Decided {
    /// Decisions that were made.
    decided: usize,
}

/// Decide several at once, all or none; at most 500
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/decisions/batch", tag = "review",
    params(("project" = String, Path, description = "Its key")), request_body = Vec<DecisionInput>,
    responses((status = 201, body = Decided), Refused)
)]
async fn decide_many(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Body(inputs): Body<Vec<DecisionInput>>,
) -> AppResult<(StatusCode, Json<Decided>)> {
    let decided = review::decide_many(&actor, &db, &project, &inputs).await?;
    Ok((StatusCode::CREATED, Json(Decided { decided })))
}

/// Take a decision back
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}/decisions/{photo}/{attribute}", tag = "review",
    params(
        ("project" = String, Path, description = "Its key"),
        ("photo" = i64, Path, description = "Its id"),
        ("attribute" = String, Path, description = "Its key")
    ),
    responses((status = 204, description = "It is open again"), Refused)
)]
async fn reopen(
    State(db): State<Db>,
    Token(actor): Token,
    At((project, photo, attribute)): At<(String, i64, String)>,
) -> AppResult<StatusCode> {
    review::reopen(&actor, &db, &project, photo, &attribute).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How well annotators agree, per attribute
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/agreement", tag = "review",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Listing<AttributeAgreement>), Refused)
)]
async fn agreement(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Listing<AttributeAgreement>>> {
    Ok(Json(review::agreement(&actor, &db, &project).await?.into()))
}

/// What the report is parted by
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct By {
    /// The key of a given attribute (breed), `guideline_version` or `week`.
    by: Option<String>,
}

/// The whole report on agreement, as `kenami agreement --json` prints it: coefficients with 95 % bootstrap intervals, pairs
/// of annotators, confused answers and what they cost; with `by` also for each part of the votes, in `groups`
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/agreement/report", tag = "review",
    params(("project" = String, Path, description = "Its key"), By),
    responses((status = 200, body = AgreementReport), Refused)
)]
async fn report(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
    Params(parts): Params<By>,
) -> AppResult<Json<Arc<AgreementReport>>> {
    let by = parts.by.as_deref().map(AgreementBy::from);
    Ok(Json(review::report(&actor, &db, &project, by.as_ref()).await?))
}

/// Labels that deserve a second look, as they were last found; null where nobody has looked
#[utoipa::path(
    get, path = "/api/v1/projects/{project}/suspects", tag = "review",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Option<Suspects>), Refused)
)]
async fn suspects(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Option<Suspects>>> {
    Ok(Json(review::suspects(&actor, &db, &project).await?))
}

/// Look for such labels anew, over all votes and what the latest run says of photos that it has not seen
#[utoipa::path(
    post, path = "/api/v1/projects/{project}/suspects", tag = "review",
    params(("project" = String, Path, description = "Its key")),
    responses((status = 200, body = Suspects), Refused)
)]
async fn find_suspects(
    State(db): State<Db>,
    Token(actor): Token,
    At(project): At<String>,
) -> AppResult<Json<Suspects>> {
    Ok(Json(review::find_suspects(&actor, &db, &project).await?))
}
