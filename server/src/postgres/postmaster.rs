//! The running server: what its lock file says, and stopping it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long a clean stop may take before it is made a quick one.
const CLEAN: Duration = Duration::from_secs(8);
/// How long a quick stop may take.
const QUICK: Duration = Duration::from_secs(4);

/// A live server, as `postmaster.pid` in its data folder describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postmaster {
    /// Its process.
    pub pid: Pid,
    /// The folder of its socket.
    pub socket_dir: PathBuf,
    /// The port that names its socket.
    pub port: u16,
    /// Whether it accepts connections.
    pub ready: bool,
}

impl Postmaster {
    /// The live server of the cluster at `data`, if there is one.
    pub fn find(data: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let found = parse(&text)?;
        runs_on(found.pid, data).then_some(found)
    }

    /// Removes the lock files in the cluster's `data` and in its socket's folder where their process is not this
    /// cluster's server: left behind by an unclean end, its number may belong to any other process by now, or to one that
    /// nobody has collected, and PostgreSQL would refuse to start. (Processes that still use the old server's shared
    /// memory are found by PostgreSQL itself.)
    ///
    /// # Errors
    /// The file system refuses.
    pub fn remove_stale_files(data: &Path, socket: &Path) -> std::io::Result<()> {
        let mut socket_lock = socket.as_os_str().to_owned();
        socket_lock.push(".lock");
        for path in [data.join("postmaster.pid"), PathBuf::from(socket_lock)] {
            match std::fs::read_to_string(&path) {
                // A file without a process is just being written by a server that starts.
                Ok(text) if first_number(&text).is_some_and(|pid| !runs_on(pid, data)) => std::fs::remove_file(&path)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Stops the server of the cluster at `data`: cleanly, or at once where that takes too long (the next start then
    /// recovers). Returns whether it is gone. `reap` is called while waiting, to collect an own child.
    pub fn stop(&self, data: &Path, mut reap: impl FnMut()) -> bool {
        for (signal, patience) in [(Signal::SIGINT, CLEAN), (Signal::SIGQUIT, QUICK)] {
            if kill(self.pid, signal).is_err() {
                break;
            }
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                reap();
                if !runs_on(self.pid, data) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            tracing::warn!("PostgreSQL (process {}) does not stop within {} s", self.pid, patience.as_secs());
        }
        reap();
        !runs_on(self.pid, data)
    }
}

fn first_number(text: &str) -> Option<Pid> {
    text.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// Reads `postmaster.pid`: process, data folder, start time, port, socket folder, listen address, shared memory, state.
fn parse(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Some(Postmaster {
        pid: first_number(text)?,
        port: lines.get(3).and_then(|line| line.parse().ok()).unwrap_or(0),
        socket_dir: lines.get(4).map(PathBuf::from).unwrap_or_default(),
        ready: lines.get(7) == Some(&"ready"),
    })
}

/// Whether the process `pid` is a server on the cluster at `data`: it has changed into that folder.
#[cfg(target_os = "linux")]
fn runs_on(pid: Pid, data: &Path) -> bool {
    // A process that has ended but was not collected has no folder any more.
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd"));
    match (folder, data.canonicalize()) {
        (Ok(folder), Ok(data)) => folder == data,
        _ => false,
    }
}

/// Whether the process `pid` is alive; other systems do not tell cheaply what it does.
#[cfg(not(target_os = "linux"))]
fn runs_on(pid: Pid, _data: &Path) -> bool {
    kill(pid, None).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_is_read() {
        let text = "4242\n/d/data\n1700000000\n5432\n/d/run\n\n  1234  56\nready   \n";
        let found = parse(text).expect("a server");
        assert_eq!(found.pid, Pid::from_raw(4242));
        assert_eq!((found.port, found.socket_dir, found.ready), (5432, PathBuf::from("/d/run"), true));
        assert!(!parse("4242\n/d/data\n1700000000\n5432\n/d/run\n\n\nstarting\n").expect("a server").ready);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn files_that_name_another_process_are_stale() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (file, socket) = (folder.path().join("postmaster.pid"), folder.path().join("socket"));
        let socket_lock = folder.path().join("socket.lock");
        // Process 1 lives, but not here.
        std::fs::write(&file, "1\n/nowhere\n")?;
        std::fs::write(&socket_lock, "1\n/nowhere\n")?;
        assert_eq!(Postmaster::find(folder.path()), None);
        Postmaster::remove_stale_files(folder.path(), &socket)?;
        assert!(!file.exists() && !socket_lock.exists());
        Ok(())
    }
}
