//! What a command that needs the database works with.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use kenami_store::db::{self, Db};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{DataDir, DatabaseArgs, DatabaseChoice},
    postgres::Cluster,
    storage::Storage,
};

/// Connections of a process at most.
const CONNECTIONS: u32 = 20;
/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database, the files and the data folder. Clones share them.
///
/// Call [`Context::close`] when done; [`with_context`] does. Where this process is the last user of the data folder's own
/// PostgreSQL, closing stops it; so does dropping the last clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The database, its schema up to date.
    pub db: Db,
    /// The object store.
    pub storage: Storage,
    /// The data folder.
    pub data_dir: DataDir,
    cluster: Option<Arc<Cluster>>,
}

impl Context {
    /// A context on a database that is open already and that somebody else stops.
    pub fn from_parts(db: Db, storage: Storage, data_dir: DataDir) -> Self {
        Self { db, storage, data_dir, cluster: None }
    }

    /// Opens the database and the object store; starts or adopts the data folder's own PostgreSQL where no other is
    /// given, and brings the schema up to date.
    ///
    /// # Errors
    /// A sentence that says what could not be reached or made, and what to do.
    pub async fn open(args: &DatabaseArgs) -> Result<Self> {
        Self::open_until(args, &CancellationToken::new()).await
    }

    /// As [`Context::open`]; `stop` ends it early, with what was started stopped again.
    ///
    /// # Errors
    /// Those of [`Context::open`], and "interrupted".
    pub async fn open_until(args: &DatabaseArgs, stop: &CancellationToken) -> Result<Self> {
        let settings = args.resolve()?;
        let (db, cluster) = match &settings.database {
            DatabaseChoice::Url(url) => {
                let db = tokio::select! {
                    db = connect(url) => db?,
                    () = stop.cancelled() => anyhow::bail!("interrupted"),
                };
                (db, None)
            }
            DatabaseChoice::Embedded => {
                let cluster = Arc::new(Cluster::enter(&settings.data_dir, stop).await?);
                let db =
                    db::connect(cluster.url(), CONNECTIONS).await.context("Kenami's own PostgreSQL does not answer")?;
                (db, Some(cluster))
            }
        };
        tokio::select! {
            migrated = db::migrate(&db) => migrated?,
            () = stop.cancelled() => anyhow::bail!("interrupted"),
        }
        settings.data_dir.make_root()?;
        if Path::new(&settings.object_store) == settings.data_dir.objects() {
            settings.data_dir.make(&settings.data_dir.objects())?;
        }
        let storage = Storage::open(&settings.object_store)
            .with_context(|| format!("cannot open the object store {}", settings.object_store))?;
        Ok(Self { db, storage, data_dir: settings.data_dir, cluster })
    }

    /// Closes the connections, and stops the data folder's PostgreSQL where nobody else uses it.
    pub async fn close(self) {
        // A connection that is still busy (a long query of an aborted task) must not hold the exit up.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.db.close()).await;
        if let Some(cluster) = self.cluster {
            let _ = tokio::task::spawn_blocking(move || cluster.leave()).await;
        }
    }
}

/// Connects to a server that somebody else runs.
async fn connect(url: &str) -> Result<Db> {
    // One connection first: a pool would try again and again, and then only say that time is up.
    let probe = async {
        let options = PgConnectOptions::from_str(url)?.application_name("kenami");
        options.connect().await?.close().await
    };
    let reason = match tokio::time::timeout(PATIENCE, probe).await {
        Ok(Ok(())) => return Ok(db::connect(url, CONNECTIONS).await?),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    anyhow::bail!("cannot reach the database at {}: {reason}", without_password(url))
}

/// `url` without what must not be shown: user, password and parameters.
fn without_password(url: &str) -> &str {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let url = url.split_once('?').map_or(url, |(address, _)| address);
    url.rsplit_once('@').map_or(url, |(_, address)| address)
}

/// Runs `work` with an open [`Context`] and closes it afterwards, also when SIGINT or SIGTERM arrives first.
///
/// # Errors
/// Those of [`Context::open`] and of `work`; "interrupted" after a signal.
pub async fn with_context<T>(args: &DatabaseArgs, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let stop = crate::signals::stop_token()?;
    let context = Context::open_until(args, &stop).await?;
    let result = tokio::select! {
        result = work(&context) => result,
        () = stop.cancelled() => Err(anyhow::anyhow!("interrupted")),
    };
    context.close().await;
    result
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres://ada:secret@db:5432/kenami?password=x"), "db:5432/kenami");
        assert_eq!(without_password("postgres://db/kenami"), "db/kenami");
        assert_eq!(without_password("nonsense"), "nonsense");
    }
}
