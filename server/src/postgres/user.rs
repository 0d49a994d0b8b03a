//! The user that PostgreSQL runs as: ourselves, or another one where we are root.

use std::{
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use nix::unistd::{Gid, Uid, User, geteuid};

/// Accounts that root may run PostgreSQL as, in order of preference.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The user that PostgreSQL's programs run as.
#[derive(Debug, Clone)]
pub struct ServerUser {
    name: String,
    /// Set where we are root and become somebody else.
    switch: Option<(Uid, Gid)>,
}

impl ServerUser {
    /// Ourselves; as root the owner of the cluster at `data` where there is one, else `postgres`, else `nobody`.
    ///
    /// # Errors
    /// We are root and no other account can be used.
    pub fn choose(data: &Path) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self { name: format!("user {}", geteuid()), switch: None });
        }
        let owner = match std::fs::metadata(data) {
            Ok(metadata) if metadata.uid() != 0 => User::from_uid(Uid::from_raw(metadata.uid()))?,
            _ => None,
        };
        let candidate = || CANDIDATES.iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = owner.or_else(candidate).context(
            "PostgreSQL does not run as root, and there is no account named postgres or nobody to run it as: \
             run kenami as an ordinary user",
        )?;
        Ok(Self { name: format!("the user {}", user.name), switch: Some((user.uid, user.gid)) })
    }

    /// A command that runs `program` as this user, with nothing of our environment that could mislead PostgreSQL.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir("/").stdin(Stdio::null());
        for name in ["PATH", "HOME", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("LC_ALL", "C");
        if let Some((uid, gid)) = self.switch {
            // The standard library drops the supplementary groups too.
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Gives `path` to this user, with `mode`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn own(&self, path: &Path, mode: u32) -> Result<()> {
        let explain = || format!("cannot give {} to {}", path.display(), self.name);
        if let Some((uid, gid)) = self.switch {
            std::os::unix::fs::chown(path, Some(uid.as_raw()), Some(gid.as_raw())).with_context(explain)?;
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).with_context(explain)
    }

    /// Whether `path` is a folder of this user's that nobody else may enter.
    pub fn owns_privately(&self, path: &Path) -> bool {
        let owner = self.switch.map_or_else(geteuid, |(uid, _)| uid);
        std::fs::symlink_metadata(path)
            .is_ok_and(|found| found.is_dir() && found.uid() == owner.as_raw() && found.mode() & 0o077 == 0)
    }

    /// Whether we become somebody else.
    pub fn switches(&self) -> bool {
        self.switch.is_some()
    }

    /// Makes sure that this user can enter `folder`.
    ///
    /// # Errors
    /// It cannot; the sentence names the first folder in the way and what to do.
    pub fn require_reach(&self, folder: &Path) -> Result<()> {
        if self.switch.is_none() || self.can_enter(folder)? {
            return Ok(());
        }
        let mut path: Vec<&Path> = folder.ancestors().collect();
        path.reverse();
        for part in path {
            if !self.can_enter(part)? {
                let mode = std::fs::metadata(part).map(|found| found.mode() & 0o777).unwrap_or(0);
                anyhow::bail!(
                    "PostgreSQL does not run as root, so it runs as {}, who cannot enter {} (mode {mode:o}): choose another \
                     data folder with --data-dir (root's default is /var/lib/kenami), open that folder with chmod o+x, or run \
                     kenami as an ordinary user",
                    self.name,
                    part.display(),
                );
            }
        }
        Ok(())
    }

    fn can_enter(&self, folder: &Path) -> Result<bool> {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", r#"cd -- "$1""#, "sh"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.status().context("cannot run /bin/sh")?.success())
    }
}
