//! Settings: a flag beats the environment, the environment beats the default. No file is read.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Where the database and the files are: the flags that every command with a database takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Database and files")]
pub struct DatabaseArgs {
    /// Data folder: Kenami's own PostgreSQL and the photos [env: KENAMI_DATA_DIR]
    /// [default: /var/lib/kenami as root, else kenami in the XDG data folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL server to use instead of Kenami's own [env: DATABASE_URL, unless --data-dir is given]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Where photos lie: a folder, or s3://bucket/prefix [env: KENAMI_OBJECT_STORE]
    /// [default: objects in the data folder]
    #[arg(long, value_name = "URL")]
    pub object_store: Option<String>,
}

/// Which database a command works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// A server that somebody else runs.
    Url(String),
    /// The data folder's own PostgreSQL.
    Embedded,
}

/// What [`DatabaseArgs`] and the environment come to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder; not made yet.
    pub data_dir: DataDir,
    /// The database.
    pub database: DatabaseChoice,
    /// The object store: a URL or a folder.
    pub object_store: String,
}

impl DatabaseArgs {
    /// Resolves the flags against the process's environment.
    ///
    /// # Errors
    /// Neither a data folder nor a home folder is known.
    pub fn resolve(&self) -> Result<Settings> {
        self.resolve_with(|name| env::var(name).ok(), nix::unistd::geteuid().is_root())
    }

    /// As [`DatabaseArgs::resolve`], with the environment and the user given.
    ///
    /// # Errors
    /// Neither a data folder nor a home folder is known.
    pub fn resolve_with(&self, variable: impl Fn(&str) -> Option<String>, root: bool) -> Result<Settings> {
        // An empty variable counts as unset, as shells make it easy to leave one behind.
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let data_dir = match self.data_dir.clone().or_else(|| variable("KENAMI_DATA_DIR").map(PathBuf::from)) {
            Some(dir) => dir,
            None => default_data_dir(variable, root)?,
        };
        let data_dir = DataDir::new(std::path::absolute(&data_dir).context("the data folder's path is empty")?);
        let given_url = self.database_url.clone().filter(|url| !url.trim().is_empty());
        let database = match (given_url, &self.data_dir) {
            (Some(url), _) => DatabaseChoice::Url(url),
            (None, Some(_)) => DatabaseChoice::Embedded,
            (None, None) => variable("DATABASE_URL").map_or(DatabaseChoice::Embedded, DatabaseChoice::Url),
        };
        let object_store = self
            .object_store
            .clone()
            .or_else(|| variable("KENAMI_OBJECT_STORE"))
            .unwrap_or_else(|| data_dir.objects().to_string_lossy().into_owned());
        Ok(Settings { data_dir, database, object_store })
    }
}

fn default_data_dir(variable: impl Fn(&str) -> Option<String>, root: bool) -> Result<PathBuf> {
    if root {
        return Ok(PathBuf::from("/var/lib/kenami"));
    }
    // The XDG rules: a relative XDG_DATA_HOME is to be ignored.
    if let Some(dir) = variable("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        return Ok(dir.join("kenami"));
    }
    let home = variable("HOME").context("HOME is not set: name a data folder with --data-dir")?;
    Ok(Path::new(&home).join(".local/share/kenami"))
}

/// The data folder. Only the subfolders that are named here are ever touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The data folder at `root`, an absolute path; nothing is made yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// PostgreSQL's cluster, its password and locks.
    pub fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Photos and results, where the object store is local.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Uploads on their way in.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// Working folders of training runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// What can be made again: features, downloaded programs.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Makes the subfolder `path` (one of this folder's) where it is missing, readable by its owner alone.
    ///
    /// # Errors
    /// The file system refuses; the message names the folder.
    pub fn make(&self, path: &Path) -> Result<()> {
        self.make_root()?;
        make_folder(path, 0o700)
    }

    /// Makes the folder itself. As root it stays open for the user that PostgreSQL runs as; the subfolders are closed.
    ///
    /// # Errors
    /// The file system refuses; the message names the folder.
    pub fn make_root(&self) -> Result<()> {
        make_folder(&self.root, if nix::unistd::geteuid().is_root() { 0o755 } else { 0o700 })
    }
}

/// Makes `path` with its parents; `mode` is for the last folder, and only where it was missing.
fn make_folder(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let explain = || format!("cannot make the folder {}", path.display());
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(explain)?;
    }
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error).with_context(explain),
        _ => Ok(()),
    }
}

/// What `kenami serve` needs beside the database.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address that people type, without a trailing slash, where it is not the one listened on.
    pub public_url: Option<String>,
    /// Whether cookies go over https alone: so when the public address is https.
    pub secure_cookies: bool,
}

impl ServeConfig {
    /// From the flags, else `KENAMI_LISTEN` and `KENAMI_PUBLIC_URL`, else 127.0.0.1:3000.
    ///
    /// # Errors
    /// The variable holds no address.
    pub fn resolve(listen: Option<SocketAddr>, public_url: Option<String>) -> Result<Self> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let listen = match (listen, variable("KENAMI_LISTEN")) {
            (Some(listen), _) => listen,
            (None, Some(text)) => text
                .parse()
                .with_context(|| format!("KENAMI_LISTEN is {text:?}, which is no address as 127.0.0.1:3000"))?,
            (None, None) => SocketAddr::from(([127, 0, 0, 1], 3000)),
        };
        let public_url = public_url.or_else(|| variable("KENAMI_PUBLIC_URL"));
        let public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &public_url {
            let valid = url.parse::<axum::http::Uri>().is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.path() == "/"
            });
            anyhow::ensure!(valid, "the public address {url:?} is none as https://kenami.example.org");
        }
        let secure_cookies = public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
        Ok(Self { listen, public_url, secure_cookies })
    }

    /// The address to show people, for a server that listens on `listening`.
    pub fn address(&self, listening: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| {
            // Nobody can open 0.0.0.0 or [::].
            if listening.ip().is_unspecified() {
                format!("http://localhost:{}", listening.port())
            } else {
                format!("http://{listening}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(data_dir: Option<&str>, url: Option<&str>, environment: &[(&str, &str)]) -> Settings {
        let args = DatabaseArgs {
            data_dir: data_dir.map(PathBuf::from),
            database_url: url.map(str::to_owned),
            object_store: None,
        };
        let lookup = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        args.resolve_with(lookup, false).expect("settings")
    }

    #[test]
    fn a_flag_beats_the_environment() {
        let environment = [("DATABASE_URL", "postgres://env"), ("KENAMI_DATA_DIR", "/env"), ("HOME", "/home/x")];
        let given = resolve(None, Some("postgres://flag"), &environment);
        assert_eq!(given.database, DatabaseChoice::Url("postgres://flag".to_owned()));
        assert_eq!(given.data_dir.root(), Path::new("/env"));
        let folder = resolve(Some("/flag"), None, &environment);
        assert_eq!(folder.database, DatabaseChoice::Embedded, "--data-dir beats DATABASE_URL from the environment");
        assert_eq!(folder.data_dir.root(), Path::new("/flag"));
        let environment_alone = resolve(None, None, &environment);
        assert_eq!(environment_alone.database, DatabaseChoice::Url("postgres://env".to_owned()));
    }

    #[test]
    fn an_empty_database_url_is_unset() {
        let settings = resolve(None, None, &[("DATABASE_URL", ""), ("HOME", "/home/x")]);
        assert_eq!(settings.database, DatabaseChoice::Embedded);
        assert_eq!(settings.data_dir.root(), Path::new("/home/x/.local/share/kenami"));
        assert_eq!(settings.object_store, "/home/x/.local/share/kenami/objects");
    }

    #[test]
    fn the_default_folder_follows_xdg_and_the_user() {
        let settings = resolve(None, None, &[("XDG_DATA_HOME", "/data"), ("HOME", "/home/x")]);
        assert_eq!(settings.data_dir.root(), Path::new("/data/kenami"));
        let relative = resolve(None, None, &[("XDG_DATA_HOME", "data"), ("HOME", "/home/x")]);
        assert_eq!(relative.data_dir.root(), Path::new("/home/x/.local/share/kenami"));
        let root = DatabaseArgs::default().resolve_with(|_| None, true).expect("settings");
        assert_eq!(root.data_dir.root(), Path::new("/var/lib/kenami"));
    }

    #[test]
    fn people_see_an_address_that_they_can_open() {
        let config = ServeConfig { listen: ([0, 0, 0, 0], 3000).into(), public_url: None, secure_cookies: false };
        assert_eq!(config.address(([0, 0, 0, 0], 3000).into()), "http://localhost:3000");
        assert_eq!(config.address(([127, 0, 0, 1], 3001).into()), "http://127.0.0.1:3001");
    }
}
