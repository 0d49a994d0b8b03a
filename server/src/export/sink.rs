//! Where parts go: a file, a folder, an archive.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use kenami_domain::view::dataset::ExportFormat;
use tokio::sync::mpsc::{Receiver, channel};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{ExportError, Part, Request, Result, Written, produce::produce};

/// Parts under way between producer and sink.
pub(super) const UNDER_WAY: usize = 4;
/// What an export puts at the top of a folder; only these are replaced by another export.
const TOP: [&str; 7] = ["dataset.json", "items.jsonl", "images", "metadata.jsonl", "train", "validation", "test"];

/// Writes the export to `path`: a file for csv and jsonl, a folder otherwise (or one zip, where `path` ends in `.zip`).
/// An earlier export in the folder is replaced; a folder that holds anything else is left alone.
///
/// # Errors
/// Rights, the database, a photo, or the target.
pub async fn write_to(request: &Request, path: &Path) -> Result<Written> {
    let manifest = request.manifest().await?;
    let (parts, arriving) = channel(UNDER_WAY);
    let (format, path) = (request.format, path.to_owned());
    let sink = tokio::task::spawn_blocking(move || write_parts(arriving, format, &path));
    let produced = produce(request, &manifest, parts).await;
    let sunk = sink.await.map_err(|error| ExportError::Write { path: String::new(), reason: error.to_string() })?;
    match (produced, sunk) {
        // The producer only sees that the sink has gone: the sink knows why.
        (Err(ExportError::BrokenOff), Err(error)) | (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        (Ok(written), Ok(())) => Ok(written),
    }
}

fn write_parts(arriving: Receiver<Part>, format: ExportFormat, path: &Path) -> Result<()> {
    let failed = |error: io::Error| ExportError::Write { path: path.display().to_string(), reason: error.to_string() };
    let is_zip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    match format {
        ExportFormat::Csv | ExportFormat::Jsonl => into_file(path, |file| plain(arriving, file)).map_err(failed),
        _ if is_zip => into_file(path, |file| archive(arriving, file)).map_err(failed),
        _ => folder(arriving, path).map_err(failed),
    }
}

/// Writes beside the target and renames at the end: there is a whole file or none.
fn into_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let name = path.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?.to_string_lossy();
    let partial = parent.join(format!(".{name}.{}.partial", std::process::id()));
    let outcome = File::create(&partial).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()
    });
    match outcome.and_then(|()| fs::rename(&partial, path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = fs::remove_file(&partial);
            Err(error)
        }
    }
}

fn broken_off() -> io::Error {
    io::Error::other("the export was broken off")
}

/// The bytes of all parts, one after the other.
pub(super) fn plain(mut arriving: Receiver<Part>, target: &mut impl Write) -> io::Result<()> {
    loop {
        match arriving.blocking_recv() {
            Some(Part::File(_)) => {}
            Some(Part::Bytes(bytes)) => target.write_all(&bytes)?,
            Some(Part::End) => return target.flush(),
            None => return Err(broken_off()),
        }
    }
}

/// A zip archive: photos are compressed already, so everything is stored; one fixed time makes it the same every time.
pub(super) fn archive(mut arriving: Receiver<Part>, target: &mut impl Write) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(target);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    loop {
        match arriving.blocking_recv() {
            Some(Part::File(path)) => zip.start_file(path, options)?,
            Some(Part::Bytes(bytes)) => zip.write_all(&bytes)?,
            Some(Part::End) => break,
            None => return Err(broken_off()),
        }
    }
    zip.finish()?.into_inner().flush()
}

fn folder(mut arriving: Receiver<Part>, target: &Path) -> io::Result<()> {
    clear(target)?;
    let mut current: Option<BufWriter<File>> = None;
    loop {
        match arriving.blocking_recv() {
            Some(Part::File(path)) => {
                close(current.take())?;
                let path: PathBuf = target.join(path);
                fs::create_dir_all(path.parent().unwrap_or(target))?;
                current = Some(BufWriter::new(File::create(path)?));
            }
            Some(Part::Bytes(bytes)) => current.as_mut().ok_or_else(broken_off)?.write_all(&bytes)?,
            Some(Part::End) => return close(current),
            None => return Err(broken_off()),
        }
    }
}

fn close(file: Option<BufWriter<File>>) -> io::Result<()> {
    file.map_or(Ok(()), |mut file| file.flush())
}

/// Makes the folder, or empties one that holds an earlier export and nothing else.
fn clear(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let entries: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    if let Some(foreign) = entries.iter().find(|entry| !TOP.iter().any(|name| entry.file_name() == *name)) {
        let name = foreign.file_name().to_string_lossy().into_owned();
        return Err(io::Error::other(format!(
            "the folder holds `{name}`, which is no part of an export; name another"
        )));
    }
    if !entries.is_empty() && !folder.join("dataset.json").is_file() {
        return Err(io::Error::other("the folder is not empty and holds no earlier export; name another"));
    }
    for entry in entries {
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
