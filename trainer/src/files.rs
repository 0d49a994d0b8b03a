//! Files that are whole or not there.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::error::{Error, Result};

/// Writes under a temporary name in the same folder, syncs, and renames: a reader sees the old file or the new one.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(dir)?;
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        make_readable(file.as_file())?;
        file.as_file().sync_data()?;
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(Error::io(path))
}

/// Temporary files are private; results are as readable as other files.
fn make_readable(file: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}
