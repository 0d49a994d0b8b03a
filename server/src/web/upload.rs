//! Photos from the page into a spool folder; a job takes them from there.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Multipart, Path as UrlPath, Query, State, multipart::Field},
    http::StatusCode,
    routing::post,
};
use kenami_domain::view::job::JobKind;
use kenami_store::{
    db::Db,
    jobs,
    rights::{self, Operation},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    fs,
    io::{AsyncWriteExt, BufWriter},
};
use tower_http::limit::RequestBodyLimitLayer;

use super::{
    AppState,
    error::{AppError, AppResult},
    session::CurrentActor,
};
use crate::{config::DataDir, import::safe_relative};

/// Bytes of a request at most.
const REQUEST: usize = 2 << 30;
/// Bytes of a file at most, other than a zip.
const FILE: u64 = 50 << 20;
/// Files of a request at most.
const FILES: usize = 20_000;
/// How long a sender may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// POST /upload/{project_key}?layout=auto|folders|csv|oxford-pets
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/upload/{project}", post(upload))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(REQUEST))
}

#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    layout: Layout,
}

/// How the files are laid out.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layout {
    #[default]
    Auto,
    Folders,
    Csv,
    OxfordPets,
}

impl Layout {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Folders => "folders",
            Self::Csv => "csv",
            Self::OxfordPets => "oxford-pets",
        }
    }
}

async fn upload(
    State(db): State<Db>,
    State(data_dir): State<DataDir>,
    CurrentActor(actor): CurrentActor,
    UrlPath(project): UrlPath<String>,
    Query(options): Query<Options>,
    form: Multipart,
) -> AppResult<(StatusCode, Json<Value>)> {
    // Before the first byte is taken; making the job checks again.
    rights::require(&actor, &db, Operation::ImportPhotos, project.as_str()).await?;
    data_dir.make(&data_dir.spool()).map_err(AppError::Internal)?;
    let spool = Spool::make(&data_dir.spool()).await?;
    let files = spool.receive(form).await?;
    if files == 0 {
        return Err(AppError::bad_request("no files were sent"));
    }
    let payload = json!({ "spool": spool.name, "layout": options.layout.as_str() });
    let job_id = jobs::create(&actor, &db, &project, JobKind::Import, payload).await?;
    spool.keep();
    Ok((StatusCode::ACCEPTED, Json(json!({ "job_id": job_id }))))
}

/// The one file of a form's field `files`, small enough for memory: its name and bytes.
pub(super) async fn one_file(mut form: Multipart) -> AppResult<(String, Bytes)> {
    while let Some(field) = patiently(form.next_field()).await?.map_err(unreadable)? {
        if field.name() == Some("files") {
            let name = field.file_name().unwrap_or("file").to_owned();
            return Ok((name, patiently(field.bytes()).await?.map_err(unreadable)?));
        }
    }
    Err(AppError::bad_request("no file was sent"))
}

/// A folder for one upload; removed again unless a job has taken it over.
struct Spool {
    name: String,
    folder: PathBuf,
    keep: bool,
}

impl Spool {
    async fn make(parent: &Path) -> AppResult<Self> {
        let name = uuid::Uuid::now_v7().simple().to_string();
        let folder = parent.join(&name);
        fs::create_dir(&folder).await.map_err(AppError::internal)?;
        Ok(Self { name, folder, keep: false })
    }

    fn keep(mut self) {
        self.keep = true;
    }

    /// Takes the form's files; returns how many there were.
    async fn receive(&self, mut form: Multipart) -> AppResult<usize> {
        let mut files = 0;
        while let Some(field) = patiently(form.next_field()).await?.map_err(unreadable)? {
            if field.name() != Some("files") {
                continue;
            }
            files += 1;
            if files > FILES {
                return Err(too_large(format!("more than {FILES} files in one upload")));
            }
            self.take(field).await?;
        }
        Ok(files)
    }

    async fn take(&self, mut field: Field<'_>) -> AppResult<()> {
        let name = field.file_name().unwrap_or_default().to_owned();
        let path = safe_relative(&name)
            .ok_or_else(|| AppError::bad_request(format!("{name:?} is not a file name inside the upload")))?;
        let zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
        let limit = if zip { REQUEST as u64 } else { FILE };
        let path = self.folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).await.map_err(|error| misplaced(&name, &error))?;
        }
        // create_new: two files of one name would silently become one.
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path).await;
        let mut file = BufWriter::with_capacity(1 << 18, file.map_err(|error| misplaced(&name, &error))?);
        let mut bytes = 0;
        while let Some(chunk) = patiently(field.chunk()).await?.map_err(unreadable)? {
            bytes += chunk.len() as u64;
            if bytes > limit {
                return Err(too_large(format!("{name:?} is larger than {} MiB", limit >> 20)));
            }
            file.write_all(&chunk).await.map_err(AppError::internal)?;
        }
        file.flush().await.map_err(AppError::internal)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            tracing::warn!("an aborted upload's folder {} stays: {error}", self.folder.display());
        }
    }
}

async fn patiently<T>(work: impl Future<Output = T>) -> AppResult<T> {
    let late = |_| AppError::Request(StatusCode::REQUEST_TIMEOUT, "the upload stopped half-way".to_owned());
    tokio::time::timeout(SILENCE, work).await.map_err(late)
}

fn unreadable(error: axum::extract::multipart::MultipartError) -> AppError {
    AppError::Request(error.status(), error.body_text())
}

fn too_large(message: String) -> AppError {
    AppError::Request(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn misplaced(name: &str, error: &std::io::Error) -> AppError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            AppError::bad_request(format!("{name:?} was sent twice"))
        }
        ErrorKind::InvalidFilename => AppError::bad_request(format!("the name {name:?} is too long")),
        _ => AppError::internal(anyhow::anyhow!("an uploaded file cannot be written: {error}")),
    }
}
