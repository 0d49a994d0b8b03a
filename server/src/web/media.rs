//! Photos, to members of their project alone.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use kenami_store::{db::Db, error::Error, photos};

use super::{
    AppState,
    error::{AppError, AppResult},
    session::CurrentActor,
};
use crate::{
    imaging,
    storage::{Storage, Variant},
};

/// GET /media/{project_key}/{photo_id}/{thumbnail|web|original}
pub fn router() -> Router<AppState> {
    Router::new().route("/media/{project}/{photo_id}/{variant}", get(photo))
}

async fn photo(
    State(db): State<Db>,
    State(storage): State<Storage>,
    CurrentActor(actor): CurrentActor,
    Path((project, photo_id, variant)): Path<(String, i64, String)>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let variant: Variant = variant.parse().map_err(|_| Error::NotFound("photo"))?;
    let file = photos::file_of(&actor, &db, &project, photo_id).await?;
    let etag = format!("\"{}-{}\"", blake3::Hash::from_bytes(file.hash).to_hex(), variant.as_str());
    if matches_etag(&headers, &etag) {
        return Ok(cacheable(StatusCode::NOT_MODIFIED.into_response(), &etag));
    }
    let response = match variant {
        Variant::Original => {
            let (bytes, stream) = storage.stream(&file.hash, variant).await?;
            let headers = [(header::CONTENT_TYPE, file.media_type), (header::CONTENT_LENGTH, bytes.to_string())];
            (headers, Body::from_stream(stream)).into_response()
        }
        // Derivatives are small, and their type shows in their first bytes.
        Variant::Thumbnail | Variant::Web => {
            let bytes = storage.get(&file.hash, variant).await?;
            let media_type = imaging::media_type(&bytes)
                .ok_or_else(|| AppError::internal(anyhow::anyhow!("a derivative of photo {photo_id} is no photo")))?;
            ([(header::CONTENT_TYPE, media_type)], bytes).into_response()
        }
    };
    Ok(cacheable(response, &etag))
}

/// Content never changes under its hash, but who may see it can: browsers keep it, proxies do not.
fn cacheable(mut response: Response, etag: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Whether the browser has what `etag` names already.
pub(super) fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_match_as_browsers_send_them() {
        let with =
            |value: &'static str| HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]);
        assert!(matches_etag(&with("\"a\", W/\"b\""), "\"b\""));
        assert!(matches_etag(&with("*"), "\"b\""));
        assert!(!matches_etag(&with("\"a\""), "\"b\""));
        assert!(!matches_etag(&HeaderMap::new(), "\"b\""));
    }
}
