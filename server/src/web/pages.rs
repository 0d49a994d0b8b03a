//! The pages and their server functions, rendered by the app.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::post,
};
use kenami_app::app::{App, shell};
use kenami_domain::language::Language;
use kenami_store::{actor::Actor, db::Db};
use leptos::{
    config::LeptosOptions,
    nonce::use_nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list_with_exclusions_and_ssg_and_context};

use super::{AppState, error::AppError, headers::content_security_policy};

/// The pages, and POST /fn/... for their server functions.
pub fn router(state: &AppState) -> Router<AppState> {
    let context = request_context(state.db.clone());
    let (routes, _) = generate_route_list_with_exclusions_and_ssg_and_context(App, None, context.clone());
    let options = state.leptos.clone();
    Router::new().route("/fn/{*name}", post(server_function)).leptos_routes_with_context(
        state,
        routes,
        context,
        move || shell(options.clone()),
    )
}

/// What a page or a server function finds in its context: who acts, in which language, and the database.
fn request_context(db: Db) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let actor = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Actor>().cloned());
        provide_context(actor.unwrap_or(Actor::Anonymous));
        let language = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Language>().copied());
        provide_context(language.unwrap_or_default());
        provide_context(db.clone());
        // A page's inline scripts carry a nonce; server functions have none.
        let policy = use_nonce().map(|nonce| content_security_policy(Some(&nonce)));
        if let (Some(response), Some(policy)) =
            (use_context::<ResponseOptions>(), policy.and_then(|policy| HeaderValue::from_str(&policy).ok()))
        {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

async fn server_function(State(db): State<Db>, request: Request) -> impl IntoResponse {
    leptos_axum::handle_server_fns_with_context(request_context(db), request).await
}

/// What is nowhere: a page for people, a problem for programs.
pub async fn not_found(State(db): State<Db>, State(options): State<LeptosOptions>, request: Request<Body>) -> Response {
    if request.method() != Method::GET || !accepts_html(request.headers()) {
        return AppError::Request(StatusCode::NOT_FOUND, "there is nothing at this address".to_owned()).into_response();
    }
    let render = leptos_axum::render_app_async_with_context(request_context(db), move || shell(options.clone()));
    let mut response = render(request).await.into_response();
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}
