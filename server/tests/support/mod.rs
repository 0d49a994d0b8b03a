//! `kenami` as a process, for tests of what happens around it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

/// Who runs kenami.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The user who runs the tests.
    Tester,
    /// An ordinary user; the tester, where that is one.
    Ordinary,
}

/// `nobody`, on every system that we know of.
const ORDINARY: u32 = 65534;

/// A data folder that the user and PostgreSQL's user can reach; stops what is left running when dropped.
pub struct Home {
    folder: tempfile::TempDir,
    who: Who,
}

impl Home {
    /// A new empty folder of `who`'s.
    pub fn new(who: Who) -> Self {
        let open = std::fs::Permissions::from_mode(0o755);
        let folder =
            tempfile::Builder::new().prefix("kenami-test-").permissions(open).tempdir_in("/tmp").expect("folder");
        let home = Self { folder, who };
        home.give(home.folder.path());
        home
    }

    /// Gives `path` to the user.
    pub fn give(&self, path: &Path) {
        if self.becomes_ordinary() {
            chown(path, Some(ORDINARY), Some(ORDINARY)).expect("chown");
        }
    }

    fn becomes_ordinary(&self) -> bool {
        self.who == Who::Ordinary && geteuid().is_root()
    }

    /// The data folder, which does not exist at first.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder around the data folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `kenami ARGUMENTS --data-dir DATA`, with a database in the environment that it must not use.
    pub fn command(&self, data: &Path, arguments: &[&str]) -> Command {
        let binary = self.binary();
        let mut command = if self.becomes_ordinary() {
            let mut command = Command::new("setpriv");
            let id = ORDINARY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(binary);
            command
        } else {
            Command::new(binary)
        };
        command.args(arguments).arg("--data-dir").arg(data);
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing").env_remove("KENAMI_LOG");
        command.env_remove("XDG_RUNTIME_DIR").current_dir("/").stdin(Stdio::null());
        command
    }

    /// The binary, where the user can reach it.
    fn binary(&self) -> PathBuf {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_kenami"));
        let open = built.ancestors().skip(1).all(|part| part.metadata().is_ok_and(|found| found.mode() & 0o001 != 0));
        if !self.becomes_ordinary() || open {
            return built;
        }
        let copy = self.folder.path().join("kenami");
        if !copy.exists() {
            std::fs::copy(&built, &copy).expect("a copy of the binary");
        }
        copy
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(&self.data(), arguments).output().expect("kenami runs")
    }

    /// Starts `kenami serve --empty` on a free port and waits until /healthz answers, at most `patience`.
    pub fn serve(&self, patience: Duration) -> Server {
        self.serve_in(&self.data(), patience)
    }

    /// As [`Home::serve`], on another data folder.
    pub fn serve_in(&self, data: &Path, patience: Duration) -> Server {
        let begin = Instant::now();
        let mut command = self.command(data, &["serve", "--empty", "--listen", "127.0.0.1:0"]);
        // As a shell starts it: a process group that Ctrl-C goes to.
        let mut child =
            command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kenami starts");
        let logs = collect(child.stderr.take().expect("standard error"));
        let mut out = BufReader::new(child.stdout.take().expect("standard output"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let Some(address) = line.trim().strip_prefix("Kenami is at http://").map(str::to_owned) else {
            let _ = child.wait();
            panic!("kenami does not start: {line:?}; {}", logs.join().unwrap_or_default());
        };
        let rest = collect(out);
        while get(&address, "/healthz").is_none_or(|answer| !answer.starts_with("HTTP/1.1 200")) {
            assert!(begin.elapsed() < patience, "/healthz does not answer within {patience:?}");
            thread::sleep(Duration::from_millis(20));
        }
        assert!(begin.elapsed() < patience, "/healthz answered only after {:?}", begin.elapsed());
        Server { child, address, logs, rest }
    }

    /// The process of the data folder's PostgreSQL, if it runs.
    pub fn postmaster(&self) -> Option<Pid> {
        postmaster(&self.data())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A test that failed leaves a server behind.
        if let Some(pid) = self.postmaster() {
            let _ = kill(pid, Signal::SIGQUIT);
            thread::sleep(Duration::from_millis(300));
        }
    }
}

/// The live server on the cluster in `data`: the process that its lock file names and that has its folder as its own.
pub fn postmaster(data: &Path) -> Option<Pid> {
    let cluster = data.join("postgres/data");
    let text = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (folder == cluster.canonicalize().ok()?).then(|| Pid::from_raw(pid))
}

/// A running `kenami serve`.
pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
    logs: thread::JoinHandle<String>,
    rest: thread::JoinHandle<String>,
}

impl Server {
    /// Whether /healthz answers.
    pub fn is_healthy(&self) -> bool {
        get(&self.address, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        // Through setpriv it is the same process: setpriv becomes kenami.
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Sends `signal` to its process group, as the terminal does for Ctrl-C, and waits at most 20 s.
    pub fn stop(mut self, signal: Signal) -> Stopped {
        let begin = Instant::now();
        let group = Pid::from_raw(-i32::try_from(self.child.id()).expect("a process id"));
        kill(group, signal).expect("kill");
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "kenami does not end within 20 s of {signal}");
            thread::sleep(Duration::from_millis(20));
        };
        Stopped { status, logs: self.logs.join().expect("logs"), out: self.rest.join().expect("output") }
    }
}

/// A `kenami serve` that has ended.
pub struct Stopped {
    /// How.
    pub status: ExitStatus,
    /// Standard error.
    pub logs: String,
    /// Standard output after its first line.
    pub out: String,
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The answer to GET `path`, headers and all.
pub fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
