//! The cluster: made once, started or adopted, shared, stopped by the last one out.

use std::{
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    download,
    find::{self, Programs},
    folder::{Folder, socket_path},
    lock::{Gate, Share},
    postmaster::Postmaster,
    user::ServerUser,
};
use crate::config::DataDir;

/// How long to wait for another process that starts or stops the cluster.
const GATE: Duration = Duration::from_secs(60);
/// How long a leaving process waits for the gate: who holds it uses the cluster, and will stop it.
const GATE_OUT: Duration = Duration::from_secs(3);
/// How long a server may take to accept connections; recovery after a power cut takes the longest.
const START: Duration = Duration::from_secs(300);
/// The superuser and the database.
const NAME: &str = "kenami";

/// A process's use of the data folder's PostgreSQL.
#[derive(Debug)]
pub struct Cluster {
    folder: Folder,
    url: String,
    inside: Mutex<Option<Inside>>,
}

/// What is held while using the cluster.
#[derive(Debug)]
struct Inside {
    share: Share,
    /// The server, where this process started it: to be collected when it ends.
    child: Option<Child>,
}

impl Cluster {
    /// Starts the data folder's PostgreSQL, or joins the one that runs: another process's, or a dead one's.
    ///
    /// `stop` ends a start that takes long.
    ///
    /// # Errors
    /// A sentence that says what is in the way and what to do.
    pub async fn enter(data_dir: &DataDir, stop: &CancellationToken) -> Result<Self> {
        let (data_dir, stop, handle) = (data_dir.clone(), stop.clone(), Handle::current());
        // Not cancelled by dropping: a server that is being started must end up with an owner.
        tokio::task::spawn_blocking(move || Self::enter_blocking(&data_dir, &stop, &handle)).await?
    }

    fn enter_blocking(data_dir: &DataDir, stop: &CancellationToken, handle: &Handle) -> Result<Self> {
        let folder = Folder::make(data_dir)?;
        let gate = Gate::pass(&folder.gate(), GATE)?;
        let share = Share::take(&folder.users(), &gate)?;
        let user = ServerUser::choose(&folder.data())?;
        let mut child = None;
        let opened = Self::open(&folder, &user, &mut child, stop, handle);
        let cluster = Self {
            url: opened.as_ref().map_or_else(|_| String::new(), Clone::clone),
            inside: Mutex::new(Some(Inside { share, child })),
            folder,
        };
        drop(gate);
        // On failure dropping the cluster stops what was started.
        opened.map(|_| cluster)
    }

    /// Makes, starts or joins the cluster and makes sure that the database exists; returns its address.
    fn open(
        folder: &Folder,
        user: &ServerUser,
        child: &mut Option<Child>,
        stop: &CancellationToken,
        handle: &Handle,
    ) -> Result<String> {
        let server = match Postmaster::find(&folder.data()) {
            Some(_) => {
                tracing::info!("joining the PostgreSQL that runs in {}", folder.root().display());
                wait_until_ready(folder, child, stop)?
            }
            None => None,
        };
        let server = match server {
            Some(server) => server,
            None => {
                let programs = handle.block_on(programs(folder, user, stop))?;
                start(folder, user, &programs, child)?;
                wait_until_ready(folder, child, stop)?.with_context(|| {
                    format!("PostgreSQL does not start; its log {} ends: {}", folder.log().display(), folder.log_tail())
                })?
            }
        };
        let password = folder.password()?;
        handle.block_on(ensure_database(&address(&server, &password, "postgres")))?;
        Ok(address(&server, &password, NAME))
    }

    /// The address of Kenami's database, for `kenami_store::db::connect`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gives up this process's use; the last one out stops the server. Blocks for up to 15 s. Safe to call again.
    pub fn leave(&self) {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Inside { share, mut child }) = inside else { return };
        let Ok(gate) = Gate::pass(&self.folder.gate(), GATE_OUT) else { return };
        match share.give_up(&gate) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!("cannot tell whether PostgreSQL is still in use: {error}"),
        }
        let data = self.folder.data();
        let Some(server) = Postmaster::find(&data) else {
            // A server that has just been started has not said so in its file yet.
            return child.iter_mut().for_each(end);
        };
        let mut reap = || {
            if let Some(child) = &mut child {
                let _ = child.try_wait();
            }
        };
        if server.stop(&data, &mut reap) {
            tracing::info!("PostgreSQL (process {}) stopped", server.pid);
        } else {
            tracing::error!("PostgreSQL (process {}) does not stop", server.pid);
        }
    }
}

/// Ends a server of our own that nobody can have connected to: fast shutdown, then without mercy.
fn end(child: &mut Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
        if !matches!(child.try_wait(), Ok(None)) || kill(pid, signal).is_err() {
            return;
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The server's programs: installed ones, those downloaded before, or now.
async fn programs(folder: &Folder, user: &ServerUser, stop: &CancellationToken) -> Result<Programs> {
    user.require_reach(folder.root())?;
    let existing = folder.version()?;
    let major = existing.unwrap_or(download::MAJOR);
    let downloaded = download::folder(folder.root(), major);
    if let Some(found) = find::find(user, existing, Some(&downloaded)) {
        return Ok(found);
    }
    let download = tokio::select! {
        result = download::download(folder.root(), major, user) => result,
        () = stop.cancelled() => bail!("interrupted"),
    };
    download.map_err(|error| match existing {
        Some(major) => anyhow::anyhow!(
            "the database in {} is of PostgreSQL {major}, whose server is not installed: install it (on Debian and Ubuntu: apt \
             install postgresql-{major}); {error:#}",
            folder.root().display()
        ),
        None => anyhow::anyhow!(
            "no PostgreSQL server is installed: install one (on Debian and Ubuntu: apt install postgresql), or name a \
             running one with --database-url; {error:#}"
        ),
    })
}

/// Starts the server, after making the cluster where there is none.
fn start(folder: &Folder, user: &ServerUser, programs: &Programs, child: &mut Option<Child>) -> Result<()> {
    if folder.version()?.is_none() {
        initialise(folder, user, programs)?;
    }
    let data = folder.data();
    let socket_dir = folder.socket_dir(user)?;
    Postmaster::remove_stale_files(&data, &socket_path(&socket_dir))
        .with_context(|| format!("cannot tidy {}", folder.root().display()))?;
    folder.configure(&socket_dir, user)?;
    let log = folder.open_log()?;
    let mut command = user.command(&programs.program("postgres"));
    command.arg("-D").arg(&data).stdout(log.try_clone()?).stderr(log);
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        // A session of its own: Ctrl-C in the terminal reaches us first, and we stop it when we are done with it.
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(std::io::Error::from));
    }
    tracing::info!("starting PostgreSQL {} in {}", programs.major, folder.root().display());
    *child = Some(command.spawn().with_context(|| format!("cannot run {}", programs.program("postgres").display()))?);
    Ok(())
}

/// Makes the cluster beside its final place, so that one that was interrupted half-way is never taken for a cluster.
fn initialise(folder: &Folder, user: &ServerUser, programs: &Programs) -> Result<()> {
    tracing::info!("making a new PostgreSQL {} cluster in {}", programs.major, folder.root().display());
    remove_leftovers(folder.root());
    anyhow::ensure!(!folder.data().exists(), "{} is there but holds no PostgreSQL cluster", folder.data().display());
    let new = folder.root().join(format!("new-{:016x}", rand::random::<u64>()));
    std::fs::DirBuilder::new().mode(0o700).create(&new).with_context(|| format!("cannot make {}", new.display()))?;
    user.own(&new, 0o700)?;
    let password = folder.new_password()?;
    // initdb reads it as its own user.
    let password_file =
        tempfile::Builder::new().prefix("new-").tempfile_in(folder.root()).context("cannot write the password")?;
    std::fs::write(password_file.path(), &password).context("cannot write the password")?;
    user.own(password_file.path(), 0o600)?;
    let mut command = user.command(&programs.program("initdb"));
    command.args([
        "--username",
        NAME,
        "--auth",
        "scram-sha-256",
        "--encoding",
        "UTF8",
        "--no-locale",
        "--no-instructions",
    ]);
    command.arg("--pwfile").arg(password_file.path()).arg("-D").arg(&new);
    // Ctrl-C must not tear it: it takes a second.
    command.process_group(0).stdout(Stdio::null());
    let output = command.output().context("cannot run initdb")?;
    anyhow::ensure!(
        output.status.success(),
        "initdb cannot make a cluster in {}: {}",
        folder.root().display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let settings = new.join("postgresql.conf");
    let text = std::fs::read_to_string(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
    std::fs::write(&settings, format!("{text}\ninclude_if_exists = 'kenami.conf'\n"))
        .with_context(|| format!("cannot write {}", settings.display()))?;
    std::fs::rename(&new, folder.data()).with_context(|| format!("cannot move {}", new.display()))
}

/// Removes what an interrupted start left behind; the gate is held, so nobody is at it.
fn remove_leftovers(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with("new-"));
        if ours && std::fs::remove_dir_all(entry.path()).is_err() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Waits until the server accepts connections. None if there is none, or if it has ended.
fn wait_until_ready(
    folder: &Folder,
    child: &mut Option<Child>,
    stop: &CancellationToken,
) -> Result<Option<Postmaster>> {
    let begin = Instant::now();
    let mut told = false;
    loop {
        let ended = match child {
            Some(child) => child.try_wait().context("PostgreSQL cannot be watched")?.is_some(),
            None => false,
        };
        match Postmaster::find(&folder.data()) {
            Some(server) if server.ready => return Ok(Some(server)),
            Some(_) => {}
            // A child that has just been started has not written its file yet.
            None if ended || child.is_none() => return Ok(None),
            None => {}
        }
        if stop.is_cancelled() {
            bail!("interrupted");
        }
        if begin.elapsed() > START {
            bail!("PostgreSQL does not get ready; its log {} ends: {}", folder.log().display(), folder.log_tail());
        }
        if !told && begin.elapsed() > Duration::from_secs(5) {
            told = true;
            tracing::info!("waiting for PostgreSQL, which recovers after an unclean end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The address of `database` on `server`.
fn address(server: &Postmaster, password: &str, database: &str) -> String {
    let folder: PathBuf = server.socket_dir.clone();
    // percent-encode all but what certainly needs none
    let mut encoded = String::new();
    for byte in folder.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("postgres://{NAME}:{password}@localhost:{}/{database}?host={encoded}&sslmode=disable", server.port)
}

/// Makes Kenami's database where it is missing.
async fn ensure_database(url: &str) -> Result<()> {
    let attempt = async {
        let mut connection = PgConnection::connect(url).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(NAME)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            connection.execute(format!("CREATE DATABASE {NAME}").as_str()).await?;
        }
        connection.close().await
    };
    tokio::time::timeout(Duration::from_secs(20), attempt)
        .await
        .context("Kenami's own PostgreSQL does not answer")?
        .context("Kenami's own PostgreSQL does not answer as expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_folders_survive_the_address() {
        use std::str::FromStr;
        let server =
            Postmaster { pid: nix::unistd::Pid::from_raw(1), socket_dir: "/a b&c/ü".into(), port: 5432, ready: true };
        let url = address(&server, "p-w_d", NAME);
        let options = sqlx::postgres::PgConnectOptions::from_str(&url).expect("an address");
        assert_eq!(options.get_socket().map(PathBuf::as_path), Some(Path::new("/a b&c/ü")));
        assert_eq!(options.get_database(), Some(NAME));
    }
}
