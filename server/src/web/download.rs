//! Datasets, labels and runs as files.

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use kenami_domain::{csvio, view::dataset::ExportFormat};
use kenami_store::{db::Db, labels, runs};
use serde::Deserialize;

use super::{
    AppState,
    error::{AppError, AppResult},
    session::CurrentActor,
};
use crate::{
    export::{self, ExportError},
    storage::Storage,
};

/// GET /p/{key}/datasets/{name}/download, /p/{key}/labels.csv, /p/{key}/runs/{id}/files/{*file}
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/p/{key}/datasets/{name}/download", get(dataset))
        .route("/p/{key}/labels.csv", get(project_labels))
        .route("/p/{key}/runs/{id}/files/{*file}", get(run_file))
}

#[derive(Deserialize)]
struct Format {
    format: ExportFormat,
}

async fn dataset(
    State(db): State<Db>,
    State(storage): State<Storage>,
    CurrentActor(actor): CurrentActor,
    Path((key, name)): Path<(String, String)>,
    Query(Format { format }): Query<Format>,
) -> AppResult<Response> {
    let request = export::Request { actor, db, storage, project: key, dataset: name, format, by: None };
    let download = export::download(request).await.map_err(refused)?;
    Ok(attachment(&download.file_name, download.content_type, Body::from_stream(download.body)))
}

/// What an export's failure is to the one who asked for it.
pub(crate) fn refused(error: ExportError) -> AppError {
    match error {
        ExportError::Store(error) => error.into(),
        ExportError::UnknownAttribute(_) | ExportError::NoAttribute => AppError::bad_request(error.to_string()),
        other => AppError::internal(other),
    }
}

async fn project_labels(
    State(db): State<Db>,
    CurrentActor(actor): CurrentActor,
    Path(key): Path<String>,
) -> AppResult<Response> {
    let rows = labels::export(&actor, &db, &key).await?;
    let mut bytes = Vec::new();
    csvio::write_labels(&mut bytes, &rows).map_err(AppError::internal)?;
    Ok(attachment(&format!("{key}-labels.csv"), "text/csv; charset=utf-8", Body::from(bytes)))
}

async fn run_file(
    State(db): State<Db>,
    State(storage): State<Storage>,
    CurrentActor(actor): CurrentActor,
    Path((key, id, file)): Path<(String, i64, String)>,
) -> AppResult<Response> {
    let artifact = runs::file(&actor, &db, &key, id, &file).await?;
    let (bytes, stream) = storage.get_artifact(&artifact).await?;
    let content_type = match mime_guess::from_path(&file).first() {
        Some(of_text) if of_text.type_() == mime_guess::mime::TEXT => format!("{of_text}; charset=utf-8"),
        other => other.unwrap_or(mime_guess::mime::APPLICATION_OCTET_STREAM).to_string(),
    };
    let mut response = attachment(&format!("{key}-run-{id}-{file}"), &content_type, Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    if content_type == mime_guess::mime::IMAGE_PNG.as_ref() {
        // The page shows pictures, and opens them.
        response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    }
    Ok(response)
}

/// A file to save. Names are project keys, dataset names and numbers: ASCII without quotes.
fn attachment(file_name: &str, content_type: &str, body: Body) -> Response {
    let plain: String = file_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .collect();
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{plain}\"")),
    ];
    (headers, body).into_response()
}
