//! Results on standard output.

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    sync::OnceLock,
};

use anyhow::Result;

/// The first failure to write a result.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes one line of the result. A reader who has gone (`kenami ... | head`) is no failure; another one (a full disk) is
/// kept for [`written`].
pub(super) fn line(text: fmt::Arguments<'_>) {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = LOST.set(error);
        }
        _ => {}
    }
}

/// Tells whether all lines could be written.
///
/// # Errors
/// The first failure.
pub(super) fn written() -> Result<()> {
    match LOST.get() {
        None => Ok(()),
        Some(error) => Err(anyhow::anyhow!("the result cannot be written: {error}")),
    }
}
