//! Taking in an upload: the payload is `{"spool": FOLDER, "layout": "auto"|...}`; the folder lies in the data folder's
//! spool and holds the uploaded files, or one zip archive.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use kenami_domain::view::job::SkippedFile;
use kenami_store::jobs::ClaimedJob;
use serde::Deserialize;

use super::{Ended, Progress};
use crate::{
    cli::Context,
    import::{self, ImportError, Layout, Plan, safe_relative},
};

#[derive(Debug, Deserialize)]
struct Payload {
    spool: String,
    #[serde(default)]
    layout: String,
}

pub(super) async fn work(context: &Context, job: &ClaimedJob, progress: &Progress) -> anyhow::Result<Ended> {
    let payload = Payload::deserialize(&job.payload).context("the job's payload is not that of an import")?;
    let layout = match payload.layout.as_str() {
        "" | "auto" => None,
        word => Some(word.parse::<Layout>()?),
    };
    let folder = folder(context, &job.payload).context("the job's upload has no valid name")?;
    anyhow::ensure!(folder.is_dir(), "the upload is not on this machine any more; upload the photos again");
    progress.begin(0, "Reading the upload");
    let read = folder.clone();
    let (plan, left_out) = tokio::task::spawn_blocking(move || read_upload(&read, layout)).await??;
    let (db, storage) = (&context.db, &context.storage);
    // In the uploader's name: rights that have been taken away meanwhile count.
    match import::run(&job.created_by, db, storage, &job.project_key, plan, progress).await {
        Ok(mut report) => {
            report.skipped.splice(0..0, left_out);
            Ok(Ended::Done(serde_json::to_value(report)?))
        }
        Err(ImportError::Cancelled) => Ok(Ended::Stopped),
        Err(error) => Err(error.into()),
    }
}

/// Unpacks the upload if it is an archive, and reads its layout.
fn read_upload(folder: &Path, layout: Option<Layout>) -> anyhow::Result<(Plan, Vec<SkippedFile>)> {
    let Some(archive) = lone_archive(folder)? else {
        return Ok((import::plan(&top_of(folder)?, layout)?, Vec::new()));
    };
    let unpacked = folder.join(".unpacked");
    // Left by a worker that died: begun afresh.
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir(&unpacked)?;
    let left_out = import::unpack(&archive, &unpacked)?;
    let plan = import::plan(&top_of(&unpacked)?, layout)?;
    Ok((plan, left_out))
}

/// The zip archive, where the upload is one and nothing else.
fn lone_archive(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            files.push(entry.path());
        }
    }
    let [file] = files.as_slice() else { return Ok(None) };
    let is_zip = file.is_file() && file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    Ok(is_zip.then(|| file.clone()))
}

/// Steps into the one folder that an upload often holds around everything, where what is in it decides the layout: a
/// table, or the folders of oxford-pets. Class folders are left to the layout of folders.
fn top_of(folder: &Path) -> anyhow::Result<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| !path.file_name().is_some_and(|name| name == "__MACOSX" || name == ".DS_Store"))
        .collect();
    let [only] = entries.as_slice() else { return Ok(folder.to_owned()) };
    let has_table = || {
        let entries = fs::read_dir(only).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")))
    };
    let decides = only.is_dir() && (only.join("annotations").is_dir() || has_table());
    Ok(if decides { only.clone() } else { folder.to_owned() })
}

/// Where the upload of a job with this payload lies.
pub(super) fn folder(context: &Context, payload: &serde_json::Value) -> Option<PathBuf> {
    let payload = Payload::deserialize(payload).ok()?;
    Some(context.data_dir.spool().join(safe_relative(&payload.spool)?))
}
