//! Screens of the grid for an annotator who has answered the surest tenth of the photos.

use std::time::Instant;

use anyhow::{Result, ensure};
use kenami_domain::{
    answer::Answer,
    view::grid::{GridAnswer, GridScreen, GridSubmission},
};
use kenami_store::grid::{self, ScreenQuery};
use uuid::Uuid;

use crate::{
    clients::Times,
    ground::{Ground, PROJECT, QUESTIONS},
};

/// Photos of a screen.
const WANTED: usize = 24;
/// Screens that are timed.
const SCREENS: usize = 200;

/// What screens took.
pub struct Screens {
    /// The first one, which walks over all that has been answered, in milliseconds.
    pub first_ms: f64,
    pub screen: Times,
    pub submit: Times,
}

/// One annotator's screens of the first question.
pub async fn screens(ground: &Ground) -> Result<Screens> {
    let annotator = ground.clients.last().ok_or_else(|| anyhow::anyhow!("no clients"))?;
    sqlx::raw_sql(&fill(ground)).execute(&ground.db).await?;
    let (attribute, value) = QUESTIONS[0];
    let query = ScreenQuery { attribute: attribute.to_owned(), value: None, want: WANTED, skip: Vec::new() };
    let (mut shown, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..=SCREENS {
        let asked = Instant::now();
        let screen = grid::screen(annotator, &ground.db, PROJECT, &query).await?;
        shown.push(asked.elapsed());
        ensure!(screen.photos.len() == WANTED && screen.value.as_deref() == Some(value), "a screen is not full");
        let answered = Instant::now();
        grid::submit(annotator, &ground.db, PROJECT, &answers(screen, attribute, value)).await?;
        sent.push(answered.elapsed());
    }
    let first_ms = (shown.remove(0).as_secs_f64() * 1e4).round() / 10.0;
    Ok(Screens { first_ms, screen: Times::of(shown), submit: Times::of(sent) })
}

fn answers(screen: GridScreen, attribute: &str, value: &str) -> GridSubmission {
    let answer = |claim_id| GridAnswer { claim_id, answer: Answer::from(value), idempotency_key: Uuid::new_v4() };
    GridSubmission {
        attribute: attribute.to_owned(),
        source_id: screen.source_id.unwrap_or_default(),
        answers: screen.photos.iter().map(|photo| answer(photo.claim_id)).collect(),
        duration_ms: Some(12_000),
        guideline_version: None,
    }
}

/// Suggestions for each photo and question, the first value for four of five; the surest tenth is the annotator's own, done.
fn fill(ground: &Ground) -> String {
    let annotator = ground.clients.len() - 1;
    let tenth = ground.photos / 10;
    format!(
        "INSERT INTO suggestion_sources (project_id, kind, name, control_share, created_by)
             SELECT id, 'import', 'bench', 0, (SELECT min(id) FROM users) FROM projects;
         INSERT INTO suggestions (source_id, photo_id, attribute_id, value_id, probability)
             SELECT o.id, t.photo_id, a.id, v.id, 1 - (hashint8(t.photo_id) & 1048575) / 2097152.0
             FROM suggestion_sources o
             CROSS JOIN tasks t
             CROSS JOIN attributes a
             CROSS JOIN LATERAL (
                 SELECT array_agg(id ORDER BY length(key)) AS ids FROM attribute_values WHERE attribute_id = a.id
             ) n
             JOIN attribute_values v ON v.id = n.ids[CASE WHEN t.photo_id % 5 = 0 THEN 2 ELSE 1 END]
             WHERE a.kind = 'annotated';
         UPDATE claims SET released_at = now() WHERE released_at IS NULL;
         CREATE TEMPORARY TABLE surest AS
             SELECT s.photo_id FROM suggestions s JOIN attributes a ON a.id = s.attribute_id AND a.key = '{key}'
             ORDER BY s.probability DESC LIMIT {tenth};
         INSERT INTO claims (project_id, photo_id, annotator_id, slot, expires_at, done_at)
             SELECT t.project_id, t.photo_id, a.id, 1, now(), now()
             FROM surest JOIN tasks t USING (photo_id) JOIN annotators a ON a.name = 'client-{annotator}';
         INSERT INTO labels (project_id, photo_id, annotator_id, source, idempotency_key, attribute_id, answer, value_id)
             SELECT c.project_id, c.photo_id, c.annotator_id, 'grid', gen_random_uuid(), s.attribute_id, 'value', s.value_id
             FROM claims c JOIN suggestions s USING (photo_id) JOIN attributes a ON a.id = s.attribute_id AND a.key = '{key}'
             WHERE c.released_at IS NULL
             ON CONFLICT DO NOTHING;
         DROP TABLE surest;
         UPDATE tasks t SET taken = (SELECT count(*) FROM claims c WHERE c.photo_id = t.photo_id AND released_at IS NULL);
         ANALYZE suggestions; ANALYZE tasks; ANALYZE claims; ANALYZE labels",
        key = QUESTIONS[0].0,
    )
}
