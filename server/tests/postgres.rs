//! The data folder's own PostgreSQL: started, adopted after an unclean end, shared, stopped by the last one out.

mod support;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::Path,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::geteuid,
};
use support::{Home, Who};

/// From an empty folder, by the specification.
const FIRST: Duration = Duration::from_secs(40);
/// After a kill -9, by the specification.
const AGAIN: Duration = Duration::from_secs(10);

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map(|found| found.mode() & 0o777).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Starts on an empty folder, is closed to others, ends on Ctrl-C with its PostgreSQL, and starts again.
fn starts_and_ends(who: Who) {
    let home = Home::new(who);
    let server = home.serve(FIRST);
    let postgres = home.data().join("postgres");
    assert_eq!(mode(&postgres.join("password")), 0o600);
    assert_eq!(mode(&postgres.join("run")), 0o700);
    assert_eq!(mode(&postgres.join("data")), 0o700);
    let socket = fs::read_dir(postgres.join("run"))
        .expect("run")
        .flatten()
        .find(|entry| UnixStream::connect(entry.path()).is_ok());
    assert!(socket.is_some(), "PostgreSQL listens on a socket in run/");
    let pid = home.postmaster().expect("PostgreSQL runs");
    assert!(
        !fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == 0),
        "PostgreSQL must not run as root"
    );
    // Fields after the command's name in /proc/PID/stat: state, parent, process group, session.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let session = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(3)).expect("a session");
    assert_eq!(session, pid.to_string(), "PostgreSQL leads a session of its own");
    let settings = fs::read_to_string(postgres.join("data/pg_hba.conf")).expect("pg_hba.conf");
    let open = settings.lines().any(|line| !line.starts_with('#') && line.trim_end().ends_with("trust"));
    assert!(!open, "nobody comes in without a password");

    let stopped = server.stop(Signal::SIGINT);
    assert!(stopped.status.success(), "{}", stopped.logs);
    assert_eq!(home.postmaster(), None, "the last one out stops PostgreSQL");
    assert!(!postgres.join("data/postmaster.pid").exists(), "and stops it cleanly");
    assert!(stopped.out.contains("/join/"), "the first administrator's link is printed: {:?}", stopped.out);
    assert!(!stopped.logs.contains("/join/"), "but not logged: {}", stopped.logs);

    let again = home.serve(AGAIN);
    assert!(again.stop(Signal::SIGTERM).status.success());
    assert_eq!(home.postmaster(), None);
}

#[test]
fn the_tester_starts_it_on_an_empty_folder() {
    starts_and_ends(Who::Tester);
}

#[test]
fn an_ordinary_user_starts_it_on_an_empty_folder() {
    starts_and_ends(Who::Ordinary);
}

/// A killed kenami's PostgreSQL goes on; the next kenami adopts it, and stops it at its own exit.
fn adopts(who: Who) {
    let home = Home::new(who);
    home.serve(FIRST).kill();
    let orphan = home.postmaster().expect("PostgreSQL outlives a killed kenami");
    let server = home.serve(AGAIN);
    assert_eq!(home.postmaster(), Some(orphan), "the live cluster is adopted");
    assert!(server.stop(Signal::SIGTERM).status.success());
    assert_eq!(home.postmaster(), None);
}

#[test]
fn the_tester_adopts_a_dead_kenamis_cluster() {
    adopts(Who::Tester);
}

#[test]
fn an_ordinary_user_adopts_a_dead_kenamis_cluster() {
    adopts(Who::Ordinary);
}

#[test]
fn it_recovers_when_everything_was_killed() {
    let home = Home::new(Who::Tester);
    let server = home.serve(FIRST);
    let pid = home.postmaster().expect("PostgreSQL runs");
    server.kill();
    kill(pid, Signal::SIGKILL).expect("kill");
    // Its own children notice, and let go of its memory.
    thread::sleep(Duration::from_millis(500));
    assert!(home.data().join("postgres/data/postmaster.pid").exists());
    let again = home.serve(AGAIN);
    assert_ne!(home.postmaster(), Some(pid));
    assert!(again.stop(Signal::SIGINT).status.success());
}

#[test]
fn a_lock_file_that_names_another_process_does_not_block_the_start() {
    // As an ordinary user, whose process numbers PostgreSQL itself would believe: after a restart of a container a number
    // belongs to somebody else.
    let home = Home::new(Who::Ordinary);
    home.serve(FIRST).stop(Signal::SIGINT);
    // A live process of the same user that is no PostgreSQL of this folder.
    let mut sleeper = std::process::Command::new("sleep");
    if geteuid().is_root() {
        sleeper = std::process::Command::new("setpriv");
        sleeper.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sleep"]);
    }
    let mut sleeping = sleeper.arg("60").spawn().expect("sleep");
    let cluster = home.data().join("postgres/data");
    let file = cluster.join("postmaster.pid");
    fs::write(&file, format!("{}\n{}\n1700000000\n5432\n/nowhere\n\n  1 1\nready\n", sleeping.id(), cluster.display()))
        .expect("write");
    home.give(&file);
    let server = home.serve(AGAIN);
    assert!(server.stop(Signal::SIGINT).status.success());
    sleeping.kill().expect("kill");
    sleeping.wait().expect("wait");
}

#[test]
fn two_share_it_and_the_last_one_out_stops_it() {
    let home = Home::new(Who::Tester);
    let first = home.serve(FIRST);
    let pid = home.postmaster().expect("PostgreSQL runs");
    let second = home.serve(AGAIN);
    assert_eq!(home.postmaster(), Some(pid), "one cluster for both");

    let command = home.run(&["admin", "user", "add", "ada", "--role", "administrator"]);
    assert!(command.status.success(), "{}", String::from_utf8_lossy(&command.stderr));
    assert!(String::from_utf8_lossy(&command.stdout).contains("/join/"));
    assert_eq!(home.postmaster(), Some(pid), "a command leaves the servers theirs");

    // The one that started it goes first.
    assert!(first.stop(Signal::SIGINT).status.success());
    assert_eq!(home.postmaster(), Some(pid));
    assert!(second.is_healthy());
    assert!(second.stop(Signal::SIGINT).status.success());
    assert_eq!(home.postmaster(), None);
}

#[test]
fn a_command_starts_it_and_stops_it_afterwards() {
    let home = Home::new(Who::Tester);
    let made = home.run(&["admin", "user", "add", "ada", "--role", "administrator"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(home.postmaster(), None);
    let token = home.run(&["admin", "token", "ada"]);
    assert!(token.status.success());
    assert!(String::from_utf8_lossy(&token.stdout).starts_with("kenami_"));
    let unknown = home.run(&["admin", "token", "bob"]);
    assert_eq!(unknown.status.code(), Some(1));
    let misused = home.run(&["admin", "user", "add", "bob", "--role", "lead"]);
    assert_eq!(misused.status.code(), Some(2), "a role without a project is wrong use");
    assert_eq!(home.postmaster(), None);
}

#[test]
fn a_socket_path_that_is_too_long_falls_back_to_a_short_folder() {
    for who in [Who::Tester, Who::Ordinary] {
        let home = Home::new(who);
        let deep = home.path().join("d".repeat(90));
        fs::create_dir(&deep).expect("folder");
        home.give(&deep);
        let data = deep.join("it's a \"folder\", and more");
        let server = home.serve_in(&data, FIRST);
        let text = fs::read_to_string(data.join("postgres/data/postmaster.pid")).expect("postmaster.pid");
        let folder = Path::new(text.lines().nth(4).expect("a socket folder")).to_owned();
        assert!(folder.join(".s.PGSQL.5432").as_os_str().len() <= 107);
        assert!(!folder.starts_with(&data));
        assert_eq!(mode(&folder), 0o700);
        assert!(server.stop(Signal::SIGINT).status.success());
        assert_eq!(support::postmaster(&data), None);
        let _ = fs::remove_dir(&folder);
    }
}

#[test]
fn only_its_own_subfolders_are_touched() {
    let home = Home::new(Who::Tester);
    fs::create_dir(home.data()).expect("folder");
    fs::set_permissions(home.data(), fs::Permissions::from_mode(0o751)).expect("mode");
    let mine = home.data().join("mine");
    fs::create_dir(&mine).expect("folder");
    fs::write(mine.join("note"), "do not touch").expect("note");
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o750)).expect("mode");
    // What an interrupted initdb leaves behind.
    fs::create_dir_all(home.data().join("postgres/new-0123456789abcdef/base")).expect("folder");
    if geteuid().is_root() {
        fs::set_permissions(home.data().join("postgres"), fs::Permissions::from_mode(0o711)).expect("mode");
    }
    home.serve(FIRST).stop(Signal::SIGINT);
    assert_eq!(mode(&home.data()), 0o751);
    assert_eq!((mode(&mine), fs::read_to_string(mine.join("note")).expect("note")), (0o750, "do not touch".to_owned()));
    for entry in fs::read_dir(home.data()).expect("folder").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        assert!(["mine", "postgres", "objects", "spool", "runs", "cache"].contains(&name.as_str()), "{name}");
    }
    assert!(!home.data().join("postgres/new-0123456789abcdef").exists());
}

#[test]
fn a_folder_that_postgresql_cannot_reach_is_named() {
    if !geteuid().is_root() {
        return; // An ordinary user's PostgreSQL is that user.
    }
    let home = Home::new(Who::Tester);
    let closed = home.path().join("closed");
    fs::create_dir(&closed).expect("folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("mode");
    let output = home
        .command(&closed.join("data"), &["serve", "--empty", "--listen", "127.0.0.1:0"])
        .output()
        .expect("kenami runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("cannot enter {} (mode 700)", closed.display())), "{said}");
    assert!(said.contains("--data-dir"), "{said}");
}

#[test]
fn an_unreachable_database_is_one_clear_sentence() {
    let home = Home::new(Who::Tester);
    let output = home
        .command(&home.data(), &["admin", "token", "ada", "--database-url", "postgres://ada:secret@127.0.0.1:1/kenami"])
        .output()
        .expect("kenami runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("cannot reach the database at 127.0.0.1:1/kenami"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_taken_address_is_said_before_anything_is_started() {
    let home = Home::new(Who::Tester);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = home.run(&["serve", "--empty", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("cannot listen on {address}")));
    assert!(!home.data().exists());
}

#[test]
fn ctrl_c_while_it_starts_stops_what_was_started() {
    let home = Home::new(Who::Tester);
    // Wherever the start is: making the cluster, starting it, migrating.
    for milliseconds in [50, 400, 1200, 2500] {
        let mut command = home.command(&home.data(), &["serve", "--empty", "--listen", "127.0.0.1:0"]);
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("kenami");
        thread::sleep(Duration::from_millis(milliseconds));
        kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("pid")), Signal::SIGINT).expect("kill");
        let begin = std::time::Instant::now();
        while child.try_wait().expect("wait").is_none() {
            assert!(begin.elapsed() < Duration::from_secs(20), "it does not end within 20 s");
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(home.postmaster(), None, "after {milliseconds} ms");
    }
    home.serve(FIRST).stop(Signal::SIGINT);
}
