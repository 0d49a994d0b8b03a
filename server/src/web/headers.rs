//! Headers that tell the browser how little it may do.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The content security policy of a page whose inline scripts carry `nonce`.
pub fn content_security_policy(nonce: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'{nonce} 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; \
         connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
         manifest-src 'self'"
    )
}

/// Adds the security headers to every response; a page has set its own policy, with its nonce, already.
pub async fn secure(request: Request, next: Next) -> Response {
    // The secret of a one-time link must not travel on as a referrer.
    let joins = request.uri().path().starts_with("/join/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::from_str(&content_security_policy(None))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let referrer = if joins { "no-referrer" } else { "same-origin" };
    set_default(headers, header::REFERRER_POLICY, referrer);
    set_default(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set_default(headers, CROSS_ORIGIN_OPENER_POLICY, "same-origin");
    set_default(headers, CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    // What is not said to be cacheable may be private.
    set_default(headers, header::CACHE_CONTROL, "no-store");
    response
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
