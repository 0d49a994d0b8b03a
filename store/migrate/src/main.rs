//! Makes and drops scratch databases with Kenami's schema.
//!
//! The store cannot do this itself: it does not compile before its queries have been checked against a database.

use std::str::FromStr;

use anyhow::{Context, bail};
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres, migrate::MigrateDatabase, postgres::PgConnectOptions};

/// `kenami-migrate create NAME` makes the database NAME on the server of DATABASE_URL and prints its URL;
/// `kenami-migrate drop NAME` drops it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let server = std::env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, name] = arguments.as_slice() else { bail!("usage: kenami-migrate create|drop NAME") };
    let options = PgConnectOptions::from_str(&server).context("DATABASE_URL is no URL")?.database(name);
    let url = options.to_url_lossy().to_string();
    match verb.as_str() {
        "create" => {
            Postgres::create_database(&url).await.context("the database could not be made")?;
            let mut connection = PgConnection::connect_with(&options).await?;
            sqlx::migrate!("../../migrations").run(&mut connection).await?;
            connection.close().await?;
            println!("{url}");
        }
        "drop" => Postgres::drop_database(&url).await.context("the database could not be dropped")?,
        other => bail!("`{other}` is neither create nor drop"),
    }
    Ok(())
}
