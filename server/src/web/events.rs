//! Progress of jobs to the page, by server-sent events.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures::Stream;
use kenami_domain::view::{
    job::{Job, JobKind},
    run::CurvePoint,
};
use kenami_store::{actor::Actor, curves, db::Db, error::Error, jobs};
use sqlx::postgres::PgListener;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{AppState, error::AppResult, session::CurrentActor};

/// How long a stream waits for news before it looks itself: a notification can be lost while the listener reconnects.
const LOOK: Duration = Duration::from_secs(10);

/// GET /events/jobs/{job_id}
pub fn router() -> Router<AppState> {
    Router::new().route("/events/jobs/{job_id}", get(follow))
}

/// News of jobs, from one listener for the whole process.
#[derive(Debug, Clone)]
pub struct JobEvents {
    sender: broadcast::Sender<i64>,
    shutdown: CancellationToken,
}

impl JobEvents {
    /// Listens on `db` until `shutdown`, which also ends the streams.
    pub fn start(db: Db, shutdown: CancellationToken) -> Self {
        let (sender, _) = broadcast::channel(1024);
        let events = Self { sender, shutdown };
        tokio::spawn(events.clone().listen(db));
        events
    }

    async fn listen(self, db: Db) {
        loop {
            tokio::select! {
                // First, as the shutdown closes the connections too.
                biased;
                () = self.shutdown.cancelled() => return,
                result = self.forward(&db) => {
                    if let Err(error) = result {
                        tracing::warn!("news of jobs come late: {error}");
                    }
                }
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn forward(&self, db: &Db) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(db).await?;
        listener.listen(jobs::CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            if let Ok(job_id) = notification.payload().parse() {
                // Nobody listening is no mistake.
                let _ = self.sender.send(job_id);
            }
        }
    }
}

async fn follow(
    State(db): State<Db>,
    State(events): State<JobEvents>,
    CurrentActor(actor): CurrentActor,
    Path(job_id): Path<i64>,
) -> AppResult<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    // Subscribed before the first look, so that nothing falls between.
    let news = events.sender.subscribe();
    let job = jobs::get(&actor, &db, job_id).await?;
    let (sender, receiver) = mpsc::channel(16);
    let follower = Follower { actor, db, job_id, sender, sent: HashSet::new(), last: None };
    tokio::spawn(follower.run(job, news, events.shutdown));
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive))
}

/// One open stream.
struct Follower {
    actor: Actor,
    db: Db,
    job_id: i64,
    sender: mpsc::Sender<Result<Event, Infallible>>,
    /// Points that this stream has sent: epoch, split, series.
    sent: HashSet<(i32, String, String)>,
    last: Option<Job>,
}

/// The browser has gone, or the server stops.
struct Ended;

impl Follower {
    async fn run(mut self, mut job: Job, mut news: broadcast::Receiver<i64>, shutdown: CancellationToken) {
        loop {
            let ended = job.state.is_final();
            if self.send(job).await.is_err() || ended {
                return;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.sender.closed() => return,
                () = next_of(&mut news, self.job_id) => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            // Rights are checked again each time: a member who is removed sees no more.
            job = match jobs::get(&self.actor, &self.db, self.job_id).await {
                Ok(job) => job,
                Err(Error::Database(error)) => {
                    tracing::warn!("a job cannot be read: {error}");
                    return;
                }
                Err(_) => return,
            };
        }
    }

    /// Sends what is new: curves first, as the page stops listening at the job's final state.
    async fn send(&mut self, job: Job) -> Result<(), Ended> {
        if job.kind == JobKind::Train {
            let points = self.new_points().await;
            if !points.is_empty() {
                self.event("curves", &points).await?;
            }
        }
        if self.last.as_ref() != Some(&job) {
            self.event("job", &job).await?;
            self.last = Some(job);
        }
        Ok(())
    }

    async fn new_points(&mut self) -> Vec<CurvePoint> {
        // An annotator may follow a job, but not see a run's results.
        let points = curves::of_job(&self.actor, &self.db, self.job_id).await.unwrap_or_default();
        let new = |point: &CurvePoint| self.sent.insert((point.epoch, point.split.clone(), point.series.clone()));
        points.into_iter().filter(new).collect()
    }

    async fn event(&self, name: &str, data: &impl serde::Serialize) -> Result<(), Ended> {
        let event = Event::default().event(name).json_data(data).map_err(|error| {
            tracing::error!("an event cannot be written: {error}");
            Ended
        })?;
        self.sender.send(Ok(event)).await.map_err(|_| Ended)
    }
}

/// Waits for news of one job; having missed some counts as news.
async fn next_of(news: &mut broadcast::Receiver<i64>, job_id: i64) {
    loop {
        match news.recv().await {
            Ok(id) if id != job_id => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The listener lives as long as the process: only the pause decides now.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
