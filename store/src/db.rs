//! The connection pool and the migrations.

use std::{str::FromStr, time::Duration};

use sqlx::{
    PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::error::Result;

/// A pool of connections to Kenami's database.
pub type Db = PgPool;

/// The schema's history, compiled in.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Connects to `url` with at most `connections` connections.
///
/// # Errors
/// The URL is malformed, or nobody answers within ten seconds.
pub async fn connect(url: &str, connections: u32) -> Result<Db> {
    // Compiling takes longer than it saves on statements as short as these: 15 s to publish 9,000 doubts, 1.1 s without.
    let options = PgConnectOptions::from_str(url)?.application_name("kenami").options([("jit", "off")]);
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await?)
}

/// Brings the schema up to date; safe to call from several processes at once.
///
/// # Errors
/// A migration fails, or the database has one that this binary does not know.
pub async fn migrate(db: &Db) -> Result<()> {
    Ok(MIGRATIONS.run(db).await?)
}
