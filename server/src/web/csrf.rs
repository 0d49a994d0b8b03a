//! Requests that change something must come from a page of this server.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::AppError;

/// Refuses a request that changes something and comes from another site.
pub async fn require_same_origin(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_same_origin(request.headers(), request.uri()) || is_script(request.headers()) {
        return next.run(request).await;
    }
    tracing::warn!("a request from another site was refused");
    AppError::Request(StatusCode::FORBIDDEN, "this request comes from another site".to_owned()).into_response()
}

/// Whether the browser says that the request comes from a page of this server, or was typed.
///
/// Browsers since 2023 send `Sec-Fetch-Site` to trustworthy addresses (https, localhost); elsewhere `Origin` must name
/// this server.
fn is_same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    // HTTP/2 has no Host header: the address names the host.
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    match (origin.and_then(|origin| origin.split_once("://")), host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// Whether the request is a script's with a token: no browser adds that by itself.
fn is_script(headers: &HeaderMap) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer ")));
    bearer && !headers.contains_key(header::COOKIE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value"))).collect()
    }

    #[test]
    fn the_fetch_metadata_decide_where_there_are_any() {
        let uri = Uri::from_static("/auth/sign-in");
        for (site, allowed) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)] {
            let given = headers(&[("sec-fetch-site", site), ("origin", "http://a:3000"), ("host", "a:3000")]);
            assert_eq!(is_same_origin(&given, &uri), allowed, "{site}");
        }
    }

    #[test]
    fn else_the_origin_must_be_this_server() {
        let uri = Uri::from_static("/auth/sign-in");
        assert!(is_same_origin(&headers(&[("origin", "http://a:3000"), ("host", "a:3000")]), &uri));
        assert!(!is_same_origin(&headers(&[("origin", "http://a:3001"), ("host", "a:3000")]), &uri));
        assert!(!is_same_origin(&headers(&[("origin", "null"), ("host", "a:3000")]), &uri));
        assert!(!is_same_origin(&headers(&[("host", "a:3000")]), &uri));
        let http2 = Uri::from_static("https://a:3000/auth/sign-in");
        assert!(is_same_origin(&headers(&[("origin", "https://a:3000")]), &http2));
    }

    #[test]
    fn a_token_without_a_cookie_is_a_script() {
        assert!(is_script(&headers(&[("authorization", "Bearer kenami_x")])));
        assert!(!is_script(&headers(&[("authorization", "Bearer kenami_x"), ("cookie", "kenami_session=1")])));
        assert!(!is_script(&headers(&[("authorization", "Basic eDp5")])));
    }
}
