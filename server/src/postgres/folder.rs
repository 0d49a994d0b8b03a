//! The data folder's `postgres`: its layout, the password, the configuration, the socket's folder.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::user::ServerUser;
use crate::config::DataDir;

/// The port that names the socket; nothing listens on it.
pub const PORT: u16 = 5432;
/// The longest path that a socket can have: `sun_path` holds 108 bytes with the final zero.
pub const LONGEST_SOCKET: usize = 107;

/// Paths below the data folder's `postgres`.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder where it is missing. As root it stays open for the user that PostgreSQL runs as.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn make(data_dir: &DataDir) -> Result<Self> {
        let root = data_dir.postgres();
        let missing = !root.exists();
        data_dir.make(&root)?;
        if missing && nix::unistd::geteuid().is_root() {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&root, fs::Permissions::from_mode(0o711))
                .with_context(|| format!("cannot open {}", root.display()))?;
        }
        // PostgreSQL changes its working folder, and running servers are told apart by it.
        let root = root.canonicalize().with_context(|| format!("cannot enter {}", root.display()))?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The cluster.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What PostgreSQL says.
    pub fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    /// Held while somebody starts or stops the cluster.
    pub fn gate(&self) -> PathBuf {
        self.root.join("gate.lock")
    }

    /// Held by every user of the cluster.
    pub fn users(&self) -> PathBuf {
        self.root.join("users.lock")
    }

    fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The cluster's major version, if there is a cluster.
    ///
    /// # Errors
    /// Its version file cannot be read.
    pub fn version(&self) -> Result<Option<u32>> {
        let path = self.data().join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let major = text.trim().parse().with_context(|| format!("{} holds no version", path.display()))?;
                Ok(Some(major))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// The superuser's password.
    ///
    /// # Errors
    /// The file is missing or closed to us.
    pub fn password(&self) -> Result<String> {
        let path = self.password_file();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the database's password in {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Makes a new password, readable by us alone.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn new_password(&self) -> Result<String> {
        use base64::Engine;
        let password = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut file = tempfile::NamedTempFile::new_in(&self.root).context("cannot write the database's password")?;
        writeln!(file, "{password}").and_then(|()| file.as_file().sync_all()).context("cannot write the password")?;
        file.persist(self.password_file()).context("cannot write the database's password")?;
        Ok(password)
    }

    /// Writes the settings that Kenami's cluster runs with, for a socket in `socket_dir`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn configure(&self, socket_dir: &Path, user: &ServerUser) -> Result<()> {
        let path = self.data().join("kenami.conf");
        let text = format!(
            "# Written by kenami at every start; settings of your own belong in postgresql.auto.conf (ALTER SYSTEM).\n\
             listen_addresses = ''\n\
             port = {PORT}\n\
             unix_socket_directories = {}\n\
             unix_socket_permissions = 0700\n\
             password_encryption = 'scram-sha-256'\n\
             timezone = 'UTC'\n\
             log_timezone = 'UTC'\n\
             log_min_messages = warning\n\
             jit = off\n",
            quote_folder(socket_dir)?
        );
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        user.own(&path, 0o600)
    }

    /// Makes the socket's folder, mode 0700: `run` beside the cluster, or a short private one where that path is too long.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn socket_dir(&self, user: &ServerUser) -> Result<PathBuf> {
        let run = self.root.join("run");
        if socket_path(&run).as_os_str().len() <= LONGEST_SOCKET {
            if !run.is_dir() {
                fs::DirBuilder::new()
                    .mode(0o700)
                    .create(&run)
                    .with_context(|| format!("cannot make {}", run.display()))?;
            }
            user.own(&run, 0o700)?;
            return Ok(run);
        }
        self.short_socket_dir(user)
    }

    fn short_socket_dir(&self, user: &ServerUser) -> Result<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let name = format!("kenami-{}", &blake3::hash(self.root.as_os_str().as_bytes()).to_hex()[..16]);
        let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let own = own.filter(|folder| !user.switches() && folder.is_absolute() && folder.is_dir());
        let system = Some(PathBuf::from("/run")).filter(|_| user.switches());
        for parent in [own, system, Some(PathBuf::from("/tmp"))].into_iter().flatten() {
            let folder = parent.join(&name);
            if socket_path(&folder).as_os_str().len() > LONGEST_SOCKET {
                continue;
            }
            if fs::DirBuilder::new().mode(0o700).create(&folder).is_ok() {
                user.own(&folder, 0o700)?;
            }
            // In a shared folder somebody else may have been there first.
            if user.owns_privately(&folder) && user.require_reach(&folder).is_ok() {
                return Ok(folder);
            }
        }
        let folder = tempfile::Builder::new()
            .prefix("kenami-")
            .tempdir_in("/tmp")
            .context("cannot make a folder in /tmp")?
            .keep();
        user.own(&folder, 0o700)?;
        Ok(folder)
    }

    /// Opens the server's log for appending; a long one is put aside first.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn open_log(&self) -> Result<fs::File> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|found| found.len() > 10 << 20) {
            fs::rename(&path, self.root.join("server.log.1"))
                .with_context(|| format!("cannot move {}", path.display()))?;
        }
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))
    }

    /// The end of the server's log, for messages.
    pub fn log_tail(&self) -> String {
        let text = fs::read(self.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(4).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

/// The socket that PostgreSQL makes in `folder`.
pub fn socket_path(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// `folder` as a one-element list in postgresql.conf: the list's quotes inside the string's.
fn quote_folder(folder: &Path) -> Result<String> {
    let text = folder.to_str().with_context(|| format!("{} is not UTF-8", folder.display()))?;
    let element = format!("\"{}\"", text.replace('"', "\"\""));
    Ok(format!("'{}'", element.replace('\\', "\\\\").replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_folders_survive_the_configuration() {
        assert_eq!(quote_folder(Path::new("/a b")).expect("quoted"), r#"'"/a b"'"#);
        assert_eq!(quote_folder(Path::new("/o'neil, \"x\"\\y")).expect("quoted"), r#"'"/o''neil, ""x""\\y"'"#);
    }
}
