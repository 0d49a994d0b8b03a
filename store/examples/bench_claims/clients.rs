//! Clients that claim and answer as the annotate page does.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use kenami_domain::{
    answer::Answer,
    view::annotate::{AnswerInput, Submission},
};
use kenami_store::{actor::Actor, annotate, db::Db};
use uuid::Uuid;

use crate::ground::{Ground, PROJECT, QUESTIONS};

// As the page has them: it asks when fewer than LOW photos wait, and wants to hold WANTED.
const WANTED: usize = 8;
const LOW: usize = 5;

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
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
        tokio::spawn(async move { annotator(&client, &db, |_| began.elapsed() < time).await })
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
    let done = annotator(&ground.veteran, db, |done| done.submissions.len() < 400).await?;
    Ok(Times::of(done.claims))
}

/// Answers photos while `goes_on` says so.
async fn annotator(client: &Actor, db: &Db, goes_on: impl Fn(&Done) -> bool) -> Result<Done> {
    let mut done = Done::default();
    let mut queue: VecDeque<i64> = VecDeque::new();
    while goes_on(&done) {
        if queue.len() < LOW {
            let have: Vec<i64> = queue.iter().copied().collect();
            let asked = Instant::now();
            let claimed = annotate::claim(client, db, PROJECT, WANTED, &have).await?;
            done.claims.push(asked.elapsed());
            queue = claimed.photos.iter().map(|photo| photo.claim_id).collect();
            ensure!(queue.len() == WANTED, "only {} photos while there are enough", queue.len());
        }
        let Some(claim) = queue.pop_front() else { continue };
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
