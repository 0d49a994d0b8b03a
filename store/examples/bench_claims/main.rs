//! How fast photos are claimed, and whether it stays so: `bench_claims [--seconds S] [--clients C] PHOTOS...`
//!
//! For each number of photos it makes a database on the server of DATABASE_URL, fills it by set-based SQL, lets clients
//! claim and answer as the page does, without ever pausing, and prints one line of JSON:
//! - `per_second`: slots that were claimed and answered; `calls_per_second`: requests for photos;
//! - `p50_ms`, `p99_ms`: one request for photos; `submit_p99_ms`: one photo's answers;
//! - `veteran`: the same for one client alone who has answered the first tenth of the photos while nobody else has, so
//!   that all these photos are still open to others;
//! - `change`: how long it takes to give every photo another overlap and another place in the queue, and what a request for
//!   photos takes the clients meanwhile, who answer a photo a second each;
//! - `grid`: screens of 24 photos for an annotator who has answered the surest tenth: the first one walks over them all, the
//!   others go on from there.
//!
//! The plan of the queue's hot path goes to standard error. It fails if that plan does not walk the index, if a slot was
//! given twice or lost, or if a client came away empty-handed.

mod clients;
mod grid;
mod ground;
mod plan;

use std::{env, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Connections of the server's pool, as `kenami serve` has them.
const CONNECTIONS: u32 = 20;

struct Arguments {
    photos: Vec<i64>,
    clients: usize,
    time: Duration,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = arguments()?;
    let server = env::var("DATABASE_URL").context("DATABASE_URL is not set; try: make bench-claims")?;
    for photos in &arguments.photos {
        let ground = ground::Ground::new(&server, *photos, arguments.clients, CONNECTIONS).await?;
        let result = measure(&ground, &arguments).await;
        ground.drop().await?;
        println!("{}", result?);
    }
    Ok(())
}

async fn measure(ground: &ground::Ground, arguments: &Arguments) -> Result<Value> {
    let shared = clients::together(ground, arguments.time).await?;
    ground.check().await?;
    let veteran = clients::veteran(ground).await?;
    plan::check(ground).await?;
    let change = clients::during_a_change(ground).await?;
    ground.check().await?;
    let grid = grid::screens(ground).await?;
    ground.check().await?;
    Ok(json!({
        "photos": ground.photos, "clients": arguments.clients, "seconds": arguments.time.as_secs(),
        "per_second": shared.answered_per_second, "calls_per_second": shared.calls_per_second,
        "p50_ms": shared.claim.p50, "p99_ms": shared.claim.p99, "submit_p99_ms": shared.submit.p99,
        "veteran": { "answered": ground.photos / 10, "p50_ms": veteran.p50, "p99_ms": veteran.p99 },
        "grid": {
            "answered": ground.photos / 10, "first_ms": grid.first_ms, "p50_ms": grid.screen.p50,
            "p99_ms": grid.screen.p99, "submit_p99_ms": grid.submit.p99,
        },
        "change": { "seconds": change.seconds, "p50_ms": change.claim.p50, "p99_ms": change.claim.p99 },
    }))
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments { photos: Vec::new(), clients: 50, time: Duration::from_secs(20) };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a number"));
        match word.as_str() {
            "--seconds" => arguments.time = Duration::from_secs(value()?.parse()?),
            "--clients" => arguments.clients = value()?.parse()?,
            number => arguments.photos.push(number.parse().with_context(|| format!("`{number}` is no number"))?),
        }
    }
    if arguments.photos.is_empty() || arguments.clients == 0 {
        bail!("usage: bench_claims [--seconds S] [--clients C] PHOTOS...");
    }
    Ok(arguments)
}
