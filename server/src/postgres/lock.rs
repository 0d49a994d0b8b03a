//! Who uses the cluster: two lock files, which die with their process, however it ends.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use fs4::fs_std::FileExt;

/// The right to start or stop the cluster; let go when dropped.
#[derive(Debug)]
pub struct Gate {
    _file: File,
}

impl Gate {
    /// Waits for the gate at `path`, at most `patience`.
    ///
    /// # Errors
    /// The file cannot be opened, or another process holds the gate for too long.
    pub fn pass(path: &Path, patience: Duration) -> Result<Self> {
        let file = open(path)?;
        let deadline = Instant::now() + patience;
        loop {
            if FileExt::try_lock_exclusive(&file).with_context(|| format!("cannot lock {}", path.display()))? {
                return Ok(Self { _file: file });
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "another kenami has been starting or stopping the PostgreSQL of this data folder for {} s (it holds {})",
                patience.as_secs(),
                path.display()
            );
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}

/// One process's share of the cluster; given up when dropped.
#[derive(Debug)]
pub struct Share {
    file: File,
}

impl Share {
    /// Takes a share. Only who holds the [`Gate`] may call this, so that it never waits.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn take(path: &Path, _gate: &Gate) -> Result<Self> {
        let file = open(path)?;
        FileExt::lock_shared(&file).with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { file })
    }

    /// Gives the share up and tells whether it was the last.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn give_up(self, _gate: &Gate) -> std::io::Result<bool> {
        FileExt::unlock(&self.file)?;
        FileExt::try_lock_exclusive(&self.file)
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_share_knows_that_it_is_the_last() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (gate, users) = (folder.path().join("gate"), folder.path().join("users"));
        let open = Gate::pass(&gate, Duration::from_secs(1))?;
        let first = Share::take(&users, &open)?;
        let second = Share::take(&users, &open)?;
        assert!(!first.give_up(&open)?);
        assert!(second.give_up(&open)?);
        Ok(())
    }

    #[test]
    fn one_passes_the_gate_at_a_time() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("gate");
        let held = Gate::pass(&path, Duration::from_secs(1))?;
        assert!(Gate::pass(&path, Duration::from_millis(60)).is_err());
        drop(held);
        Gate::pass(&path, Duration::from_secs(1))?;
        Ok(())
    }
}
