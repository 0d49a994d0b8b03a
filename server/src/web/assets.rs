//! The browser package and the styles: built into the binary, or read from a folder during development.

use std::{
    borrow::Cow,
    path::{Component, Path as FilePath, PathBuf},
};

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;

use super::{AppState, media::matches_etag};

/// What `make` builds for the browser.
#[derive(RustEmbed)]
#[folder = "../target/site"]
#[allow_missing = true]
struct Site;

/// Names the folder to read instead of what is built in; for development.
pub const SITE_VARIABLE: &str = "KENAMI_SITE";

/// GET /pkg/..., /style/..., /favicon.svg
pub fn router() -> Router<AppState> {
    let folder = std::env::var_os(SITE_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let serve = move |prefix: &'static str| {
        let folder = folder.clone();
        get(async move |path: Option<Path<String>>, headers: HeaderMap| {
            let path = path.map(|Path(path)| path).unwrap_or_default();
            asset(folder.as_deref(), &format!("{prefix}{path}"), &headers)
        })
    };
    Router::new()
        .route("/pkg/{*path}", serve("pkg/"))
        .route("/style/{*path}", serve("style/"))
        .route("/favicon.svg", serve("favicon.svg"))
}

fn asset(folder: Option<&FilePath>, path: &str, headers: &HeaderMap) -> Response {
    let Some(bytes) = read(folder, path) else { return StatusCode::NOT_FOUND.into_response() };
    // Names carry no version, so that the browser asks each time and gets a short answer.
    let etag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..32]);
    let mut response = if matches_etag(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media_type = mime_guess::from_path(path).first_or_octet_stream();
        let media_type = match (media_type.type_(), media_type.subtype()) {
            (mime_guess::mime::TEXT, _) => format!("{media_type}; charset=utf-8"),
            _ => media_type.to_string(),
        };
        ([(header::CONTENT_TYPE, media_type)], bytes.into_owned()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn read(folder: Option<&FilePath>, path: &str) -> Option<Cow<'static, [u8]>> {
    let Some(folder) = folder else { return Site::get(path).map(|file| file.data) };
    let plain = FilePath::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    let bytes = if plain { std::fs::read(folder.join(path)).ok()? } else { return None };
    Some(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_folder_is_served() -> std::io::Result<()> {
        let parent = tempfile::tempdir()?;
        let folder = parent.path().join("site");
        std::fs::create_dir_all(folder.join("pkg"))?;
        std::fs::write(folder.join("pkg/kenami.js"), "1")?;
        std::fs::write(parent.path().join("secret"), "2")?;
        assert_eq!(read(Some(&folder), "pkg/kenami.js").as_deref(), Some(b"1".as_slice()));
        assert_eq!(read(Some(&folder), "pkg/../../secret"), None);
        assert_eq!(read(Some(&folder), "/etc/passwd"), None);
        Ok(())
    }
}
