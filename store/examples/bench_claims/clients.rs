//! Clients that claim and answer as the annotate page does.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use kenami_domain::{
    answer::Answer,
    view::{
        annotate::{AnswerInput, Submission},
        project::ProjectSettings,
        queue::QueueOrder,
    },
};
use kenami_store::{actor::Actor, annotate, db::Db, projects};
use uuid::Uuid;

use crate::ground::{Ground, PROJECT, QUESTIONS};

// As the page has them: it asks when fewer than LOW photos wait, and wants to hold WANTED.
const WANTED: usize = 8;
const LOW: usize = 5;
/// What a quick annotator needs for a photo.
const PAUSE: Duration = Duration::from_secs(1);

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
}

impl Times {
    /// Of requests.
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| {
            let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            let ms = times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3);
            (ms * 100.0).round() / 100.0
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }
}

/// What all clients together came to.
pub struct Shared {
    pub answered_per_second: f64,
    pub calls_per_second: f64,
    pub claim: Times,
    pub submit: Times,
}

/// One client's requests.
#[derive(Default)]
struct Done {
    claims: Vec<Duration>,
    submissions: Vec<Duration>,
}

/// All clients at once, each as fast as it is served, for `time`.
pub async fn together(ground: &Ground, time: Duration) -> Result<Shared> {
    // The first claim makes the annotator's row and counts the project: that is paid once, not with each claim.
    for client in &ground.clients {
        annotate::claim(client, &ground.db, PROJECT, 1, &[]).await?;
    }
    let began = Instant::now();
    let work = ground.clients.iter().map(|client| {
        let (db, client) = (ground.db.clone(), client.clone());
        tokio::spawn(async move { annotator(&client, &db, Duration::ZERO, |_| began.elapsed() < time).await })
    });
    let done = try_join_all(work).await?.into_iter().collect::<Result<Vec<_>>>()?;
    let seconds = began.elapsed().as_secs_f64();
    let slowest = done.iter().map(|done| done.submissions.len()).min().unwrap_or(0);
    ensure!(slowest > 0, "a client answered nothing");
    let claims: Vec<Duration> = done.iter().flat_map(|done| done.claims.iter().copied()).collect();
    let submissions: Vec<Duration> = done.iter().flat_map(|done| done.submissions.iter().copied()).collect();
    Ok(Shared {
        answered_per_second: (submissions.len() as f64 / seconds).round(),
        calls_per_second: (claims.len() as f64 / seconds).round(),
        claim: Times::of(claims),
        submit: Times::of(submissions),
    })
}

/// What a change of the settings that moves every photo came to.
pub struct Change {
    pub seconds: f64,
    pub claim: Times,
}

/// All clients at once, at an annotator's pace, while each photo gets another number of answers and another place in the queue.
pub async fn during_a_change(ground: &Ground) -> Result<Change> {
    let changing = Arc::new(AtomicBool::new(true));
    let work = ground.clients.iter().zip(0..).map(|(client, number)| {
        let (db, client, changing) = (ground.db.clone(), client.clone(), changing.clone());
        let late = PAUSE * number / u32::try_from(ground.clients.len()).unwrap_or(1);
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            annotator(&client, &db, PAUSE, |_| changing.load(Ordering::Relaxed)).await
        })
    });
    let work: Vec<_> = work.collect();
    let began = Instant::now();
    let settings = projects::settings(&Actor::System, &ground.db, PROJECT).await?;
    let settings = ProjectSettings { overlap: 3, queue_order: QueueOrder::Balance, ..settings };
    projects::update(&Actor::System, &ground.db, PROJECT, settings).await?;
    // It goes on by itself where it takes long.
    let pending = "SELECT queue_pending IS NOT NULL FROM projects";
    while sqlx::query_scalar(pending).fetch_one(&ground.db).await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    changing.store(false, Ordering::Relaxed);
    let done = try_join_all(work).await?.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Change { seconds, claim: Times::of(done.into_iter().flat_map(|done| done.claims).collect()) })
}

/// One client, who has answered the first tenth of the photos, alone, for 400 photos.
pub async fn veteran(ground: &Ground) -> Result<Times> {
    let db = &ground.db;
    annotate::claim(&ground.veteran, db, PROJECT, 1, &[]).await?;
    // Others' slots of these photos are given back first: each of them is open to everybody but the veteran.
    let history = format!(
        "UPDATE claims SET released_at = now() WHERE released_at IS NULL;
         INSERT INTO claims (project_id, photo_id, annotator_id, slot, expires_at, done_at)
             SELECT t.project_id, t.photo_id, a.id, 1, now(), now()
             FROM tasks t JOIN annotators a ON a.name = 'client-{}'
             ORDER BY t.photo_id LIMIT {};
         UPDATE tasks t SET taken = (SELECT count(*) FROM claims c WHERE c.photo_id = t.photo_id AND released_at IS NULL)
             WHERE photo_id IN (SELECT photo_id FROM claims);
         ANALYZE tasks; ANALYZE claims",
        ground.clients.len(),
        ground.photos / 10,
    );
    sqlx::raw_sql(&history).execute(db).await?;
    // The first walk over what has been answered is paid once.
    annotate::claim(&ground.veteran, db, PROJECT, 1, &[]).await?;
    let done = annotator(&ground.veteran, db, Duration::ZERO, |done| done.submissions.len() < 400).await?;
    Ok(Times::of(done.claims))
}

/// Answers photos while `goes_on` says so, each after a pause.
async fn annotator(client: &Actor, db: &Db, pause: Duration, goes_on: impl Fn(&Done) -> bool) -> Result<Done> {
    let mut done = Done::default();
    let mut queue: VecDeque<i64> = VecDeque::new();
    while goes_on(&done) {
        if queue.len() < LOW {
            let have: Vec<i64> = queue.iter().copied().collect();
            let asked = Instant::now();
            let claimed = annotate::claim(client, db, PROJECT, WANTED, &have).await?;
            done.claims.push(asked.elapsed());
            queue = claimed.photos.iter().map(|photo| photo.claim_id).collect();
            ensure!(!queue.is_empty(), "no photos while there are enough");
        }
        let Some(claim) = queue.pop_front() else { continue };
        tokio::time::sleep(pause).await;
        let sent = Instant::now();
        annotate::submit(client, db, PROJECT, submission(claim)).await?;
        done.submissions.push(sent.elapsed());
    }
    Ok(done)
}

fn submission(claim_id: i64) -> Submission {
    let answers = QUESTIONS.map(|(attribute, value)| AnswerInput {
        attribute: attribute.to_owned(),
        answer: Answer::from(value),
        note: String::new(),
        duration_ms: Some(1500),
        guideline_version: None,
        suggestion: None,
    });
    Submission { claim_id, answers: answers.into(), idempotency_key: Uuid::new_v4() }
}
