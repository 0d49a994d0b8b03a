//! `kenami serve`: the web server, with a worker inside.

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use kenami_store::{actor::Actor, links, queue};
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;
use tower_sessions::ExpiredDeletion;
use tower_sessions_sqlx_store::PostgresStore;

use crate::{
    cli::Context,
    config::{DatabaseArgs, ServeConfig},
    demo, jobs, signals,
    web::{self, AppState},
};

/// How long requests under way may take to end after a signal.
const DRAIN: Duration = Duration::from_secs(3);
/// How long a worker may take to give its jobs back.
const HAND_BACK: Duration = Duration::from_secs(4);

/// `kenami serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The address to listen on [env: KENAMI_LISTEN] [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The address that people type, as https://kenami.example.org; https makes cookies secure [env: KENAMI_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Start without the demo project
    #[arg(long)]
    pub empty: bool,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Runs `kenami serve` until a signal ends it.
///
/// # Errors
/// The database, the files or the address cannot be had.
pub async fn run(args: ServeArgs) -> Result<()> {
    let stop = signals::stop_token()?;
    let config = ServeConfig::resolve(args.listen, args.public_url)?;
    // Before the database is started: a taken address is found at once.
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}: choose another address with --listen", config.listen))?;
    let context = match Context::open_until(&args.database, &stop).await {
        Err(_) if stop.is_cancelled() => return Ok(()),
        opened => opened?,
    };
    let result = serve(&context, listener, config, args.empty, &stop).await;
    // Also where it failed early.
    stop.cancel();
    context.close().await;
    result
}

async fn serve(
    context: &Context,
    listener: TcpListener,
    config: ServeConfig,
    empty: bool,
    stop: &CancellationToken,
) -> Result<()> {
    let address = config.address(listener.local_addr()?);
    let state =
        AppState::new(context.db.clone(), context.storage.clone(), context.data_dir.clone(), config, stop.clone());
    let app = web::router(state);
    announce(context, &address).await?;
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    let worker = tokio::spawn(jobs::worker::run(context.clone(), stop.clone()));
    let chores = tokio::spawn(chores(context.clone(), empty, stop.clone()));
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        ended = &mut server => Some(ended),
    };
    tracing::info!("stopping");
    // Whatever ended the server ends the worker.
    stop.cancel();
    let served = async {
        match ended {
            Some(ended) => ended,
            None => cut_off(server).await,
        }
    };
    // Both at once: a slow download, and a worker in the middle of a step.
    let (served, ()) = tokio::join!(served, finish_worker(worker));
    chores.abort();
    served.context("the web server ended")?.context("the web server ended")
}

/// Waits for the requests under way, and cuts off those that take too long.
async fn cut_off(mut server: JoinHandle<std::io::Result<()>>) -> Result<std::io::Result<()>, JoinError> {
    match tokio::time::timeout(DRAIN, &mut server).await {
        Ok(served) => served,
        Err(_) => {
            tracing::info!("requests that take long are cut off");
            server.abort();
            Ok(Ok(()))
        }
    }
}

/// Tells people where the server is. The first administrator's link goes to standard output alone, never to a log.
async fn announce(context: &Context, address: &str) -> Result<()> {
    let mut lines = format!("Kenami is at {address}\n");
    if let Some(secret) = links::first_administrator(&Actor::System, &context.db).await? {
        lines.push_str(&format!("Open {address}/join/{secret} to make the first administrator (works once)\n"));
    }
    // Nobody reading standard output is no reason to stop.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

/// What happens beside serving: changes that a stopped server left half-way, the demo project at the first start, and old
/// sessions.
async fn chores(context: Context, empty: bool, stop: CancellationToken) {
    let work = async {
        if let Err(error) = queue::catch_up(&Actor::System, &context.db).await {
            tracing::error!("a change of settings that was under way cannot be finished: {error}");
        }
        if !empty && let Err(error) = demo::ensure(&context.db, &context.storage).await {
            tracing::error!("the demo project cannot be loaded: {error:#}");
        }
        let sessions = PostgresStore::new(context.db.clone());
        loop {
            if let Err(error) = sessions.delete_expired().await {
                tracing::warn!("old sessions cannot be removed: {error}");
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Waits until a worker that was told to stop has given its jobs back.
pub(super) async fn finish_worker(mut worker: JoinHandle<()>) {
    match tokio::time::timeout(HAND_BACK, &mut worker).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("the worker ended: {error}"),
        Err(_) => {
            tracing::warn!("the worker does not stop; its jobs are taken up again when their leases end");
            worker.abort();
        }
    }
}
