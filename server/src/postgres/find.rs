//! Finding installed PostgreSQL server programs.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use super::user::ServerUser;

/// The oldest major version that Kenami's schema works on.
pub const OLDEST: u32 = 13;

/// A PostgreSQL installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The folder that holds `postgres` and `initdb`.
    pub bin: PathBuf,
    /// The major version.
    pub major: u32,
}

impl Programs {
    /// The program `name`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// What is installed in the folder `bin`, if `user` can run it there.
    pub fn at(bin: &Path, user: &ServerUser) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let output = user.command(&bin.join("postgres")).arg("--version").output().ok()?;
        if !output.status.success() {
            return None;
        }
        Some(Self { bin: bin.to_owned(), major: major(&String::from_utf8_lossy(&output.stdout))? })
    }
}

/// The major version in the answer of `postgres --version`.
fn major(answer: &str) -> Option<u32> {
    let version = answer.trim().strip_prefix("postgres (PostgreSQL) ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Finds programs that `user` can run: of the major version `wanted` where a cluster exists, else the first of
/// `extra`, `PATH`, the usual folders (newest version first) and `pg_config`.
pub fn find(user: &ServerUser, wanted: Option<u32>, extra: Option<&Path>) -> Option<Programs> {
    let mut seen = BTreeSet::new();
    candidates(extra)
        .filter(|bin| seen.insert(bin.clone()))
        .filter_map(|bin| Programs::at(&bin, user))
        .find(|found| wanted.map_or(found.major >= OLDEST, |major| found.major == major))
}

fn candidates(extra: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    extra.map(|folder| folder.join("bin")).into_iter().chain(on_path).chain(usual_folders()).chain(
        // The last resort is asked only when the others fail.
        std::iter::once_with(pg_config).flatten(),
    )
}

/// Where distributions put server programs outside `PATH`.
fn usual_folders() -> Vec<PathBuf> {
    let versioned = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql@")];
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix) in versioned {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|text| text.parse().ok());
            found.extend(version.map(|version| (version, entry.path().join("bin"))));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    let unversioned = ["/usr/local/pgsql/bin", "/usr/libexec/postgresql"].map(PathBuf::from);
    found.into_iter().map(|(_, bin)| bin).chain(unversioned).collect()
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|folder| output.status.success() && folder.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18.0\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("pg_ctl 15"), None);
    }

    #[test]
    fn an_empty_folder_holds_no_programs() {
        let folder = tempfile::tempdir().expect("folder");
        let user = ServerUser::choose(folder.path()).expect("user");
        assert_eq!(Programs::at(folder.path(), &user), None);
    }
}
