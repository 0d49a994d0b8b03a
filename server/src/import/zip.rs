//! Unpacking an uploaded archive, which may hold anything.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::Path,
};

use kenami_domain::view::job::SkippedFile;
use zip::ZipArchive;

use super::tree::safe_relative;
use crate::imaging::MAX_FILE_BYTES;

/// The most that one archive may hold, unpacked.
const MAX_TOTAL_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// The most files in one archive.
const MAX_FILES: usize = 20_000;

/// An archive that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no zip archive, or it is damaged.
    #[error("the zip archive cannot be read: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// It has too many files.
    #[error("the zip archive holds {0} files; at most {MAX_FILES} are taken at a time")]
    TooManyFiles(usize),
    /// It unpacks to too much.
    #[error("the zip archive unpacks to more than {} GiB", MAX_TOTAL_BYTES >> 30)]
    TooBig,
    /// A file could not be written.
    #[error("the zip archive could not be unpacked: {0}")]
    Io(#[from] io::Error),
}

/// Unpacks `archive` into the folder `into`, which must be empty; returns the entries that were left out with reasons.
/// Sizes are counted while unpacking: what an archive says of itself is not believed.
///
/// # Errors
/// The archive cannot be read, or is over a limit.
pub fn unpack(archive: &Path, into: &Path) -> Result<Vec<SkippedFile>, UnpackError> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(archive)?))?;
    if archive.len() > MAX_FILES {
        return Err(UnpackError::TooManyFiles(archive.len()));
    }
    let mut skipped = Vec::new();
    let mut total = 0;
    for index in 0..archive.len() {
        let mut entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                // The entry's own name may be what cannot be read.
                skipped.push(SkippedFile { name: format!("entry {}", index + 1), reason: error.to_string() });
                continue;
            }
        };
        let name = entry.name().to_owned();
        if entry.is_dir() {
            continue;
        }
        if entry.is_symlink() {
            skipped.push(SkippedFile { name, reason: "a link, not a file".to_owned() });
            continue;
        }
        let Some(relative) = safe_relative(&name) else {
            skipped.push(SkippedFile { name, reason: "its path leads outside the archive".to_owned() });
            continue;
        };
        let path = into.join(relative);
        match unpack_entry(&mut entry, &path, MAX_TOTAL_BYTES - total)? {
            Ok(bytes) => total += bytes,
            Err(reason) => skipped.push(SkippedFile { name, reason }),
        }
    }
    Ok(skipped)
}

/// Writes one entry; the inner error is this entry's alone.
fn unpack_entry(entry: &mut impl Read, path: &Path, left: u64) -> Result<Result<u64, String>, UnpackError> {
    if let Err(error) = path.parent().map_or(Ok(()), fs::create_dir_all) {
        return Ok(Err(error.to_string()));
    }
    let mut file = match File::create_new(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(Err("another entry has the same path".to_owned()));
        }
        Err(error) => return Ok(Err(error.to_string())),
    };
    let limit = MAX_FILE_BYTES.min(left);
    let outcome = match io::copy(&mut entry.take(limit + 1), &mut file) {
        Ok(bytes) if bytes <= limit => return Ok(Ok(bytes)),
        Ok(_) if left <= MAX_FILE_BYTES => return Err(UnpackError::TooBig),
        Ok(_) => format!("more than {} MiB", MAX_FILE_BYTES >> 20),
        Err(error) => format!("damaged in the archive: {error}"),
    };
    drop(file);
    fs::remove_file(path)?;
    Ok(Err(outcome))
}
