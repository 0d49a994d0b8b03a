//! How long a lead waits for what is computed over a whole project: `bench_progress PHOTOS...` with DATABASE_URL naming a
//! server. All photos but a tenth have two annotators' labels on three attributes. A line of JSON for each size: of the
//! progress page the first request, which counts, and the slowest of 100 more; the reports on an annotator; agreement, whole
//! and by week; for a publication the count of what it puts in doubt, itself, and its effect.

#[path = "bench_claims/ground.rs"]
mod ground;

use std::time::Instant;

use anyhow::{Context, Result};
use ground::{Ground, PROJECT, QUESTIONS};
use kenami_domain::{
    schema::Texts,
    view::{
        guidelines::{DoubtScope, DraftEdit},
        review::AgreementBy,
    },
};
use kenami_store::{actor::Actor, guidelines, reports, review};
use serde_json::json;

const REQUESTS: usize = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let server = std::env::var("DATABASE_URL").context("DATABASE_URL names the server")?;
    for photos in std::env::args().skip(1) {
        let photos: i64 = photos.parse().context("a number of photos")?;
        let ground = Ground::new(&server, photos, 20, 8).await?;
        sqlx::raw_sql(&answers()).execute(&ground.db).await?;
        ground.check().await?;
        let line = measure(&ground).await;
        ground.drop().await?;
        println!("{}", line?);
    }
    Ok(())
}

async fn measure(ground: &Ground) -> Result<serde_json::Value> {
    let begun = Instant::now();
    let report = reports::progress(&Actor::System, &ground.db, PROJECT).await?;
    let first = begun.elapsed();
    let mut slowest = std::time::Duration::ZERO;
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        reports::progress(&Actor::System, &ground.db, PROJECT).await?;
        slowest = slowest.max(begun.elapsed());
    }
    let begun = Instant::now();
    let rows = reports::annotators(&Actor::System, &ground.db, PROJECT).await?;
    let list = begun.elapsed();
    let begun = Instant::now();
    reports::annotator(&Actor::System, &ground.db, PROJECT, rows[0].id).await?;
    let one = begun.elapsed();
    let rule = measure_rule(ground).await?;
    Ok(json!({
        "rule": rule,
        "photos": ground.photos, "votes_done": report.votes_done, "votes_left": report.votes_left,
        "questions": QUESTIONS.len(), "clients": ground.clients.len(), "project": ground.project_id,
        "veteran": ground.veteran.name(),
        "first_ms": first.as_millis(), "slowest_of_100_ms": slowest.as_secs_f64() * 1e3,
        "annotators_ms": list.as_millis(), "one_annotator_ms": one.as_millis(),
    }))
}

/// Agreement, and a publication that puts every vote on one attribute in doubt.
async fn measure_rule(ground: &Ground) -> Result<serde_json::Value> {
    let (actor, db, ear) = (Actor::System, &ground.db, QUESTIONS[0].0);
    let mut times = serde_json::Map::new();
    let mut begun = Instant::now();
    let mut lap = |name: &str| {
        times.insert(name.to_owned(), json!(begun.elapsed().as_millis()));
        begun = Instant::now();
    };
    review::report(&actor, db, PROJECT, None).await?;
    lap("agreement_ms");
    review::report(&actor, db, PROJECT, Some(&AgreementBy::Week)).await?;
    lap("agreement_by_week_ms");
    let scope = DoubtScope::default();
    let count = guidelines::scope_count(&actor, db, PROJECT, ear, &scope).await?;
    lap("count_ms");
    let edit =
        DraftEdit { introduction: Texts::en("Look."), rules: Vec::new(), change_note: String::new(), based_on: None };
    guidelines::save_draft(&actor, db, PROJECT, ear, edit).await?;
    lap("draft_ms");
    guidelines::publish(&actor, db, PROJECT, ear, "", Some(&scope)).await?;
    lap("publish_ms");
    guidelines::effects(&actor, db, PROJECT, ear).await?;
    lap("effects_ms");
    times.insert("labels_in_doubt".to_owned(), json!(count.labels));
    Ok(times.into())
}

/// The SQL of two annotators' answers, spread over 20 annotators and 30 days.
fn answers() -> String {
    "INSERT INTO annotators (project_id, name, user_id) SELECT p.id, u.name, u.id FROM projects p, users u WHERE NOT built_in;
     INSERT INTO claims (project_id, photo_id, annotator_id, slot, expires_at, done_at)
         SELECT t.project_id, t.photo_id, a.id, s.slot, now(), now() - (t.photo_id % 720) * interval '1 hour'
         FROM tasks t CROSS JOIN (VALUES (1::smallint), (2::smallint)) s (slot)
         JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS nth FROM annotators) a ON a.nth = (t.photo_id + s.slot * 7) % 20
         WHERE t.photo_id % 10 <> 0;
     INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, duration_ms, created_at)
         SELECT c.project_id, c.photo_id, q.id, c.annotator_id, 'value', v.id, 900 + c.photo_id % 700, c.done_at
         FROM claims c JOIN attributes q ON q.project_id = c.project_id AND q.kind = 'annotated'
         JOIN LATERAL (SELECT id FROM attribute_values WHERE attribute_id = q.id ORDER BY id
                       OFFSET CASE WHEN c.photo_id % 9 = 1 AND c.slot = 2 THEN 1 ELSE 0 END LIMIT 1) v ON true;
     UPDATE tasks t SET taken = 2 WHERE photo_id % 10 <> 0;
     UPDATE annotators a SET photos_done = (SELECT count(*) FROM claims c WHERE c.annotator_id = a.id);
     ANALYZE;"
        .to_owned()
}
