//! Rows of a file become labels.

use std::collections::{BTreeSet, HashMap};

use kenami_domain::csvio::LabelRow;
use serde_json::json;
use sqlx::PgConnection;

use super::names;
use crate::{
    actor::Actor,
    annotate::MAX_NOTE,
    audit,
    catalog::Catalog,
    db::Db,
    error::Result,
    queue,
    rights::{self, Operation},
    slots,
};

/// What an import of labels did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelImport {
    /// Labels that came in, those that supersede another included.
    pub imported: u64,
    /// Rows that say what stands already.
    pub unchanged: u64,
    /// Rows that were left out: line in the file, and why. In the file's order.
    pub problems: Vec<(u64, String)>,
}

/// The longest name of an annotator without an account.
const MAX_NAME: usize = 200;

/// Brings labels in. Rows that do not fit are reported by line and the rest goes in; bringing the same rows in again
/// changes nothing; another answer or note supersedes.
///
/// The name of a member is that member's annotator; other names need no account. Exact duplicates are one photo. Where an
/// annotator has answered all of a photo's attributes, the photo counts as done by them, in a slot of its own if all
/// needed ones are taken. Retired attributes and values are accepted: their labels are history.
///
/// # Errors
/// Rights; the database.
pub async fn import(actor: &Actor, db: &Db, project: &str, rows: &[LabelRow]) -> Result<LabelImport> {
    let access = rights::require(actor, db, Operation::ImportLabels, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let mut report = LabelImport::default();
    let (fitting, annotators) = fit(&mut tx, access.project_id, &catalog, rows, &mut report).await?;
    let labels = last_readings(fitting, &mut report);
    let known = standing(&mut tx, &labels).await?;
    let mut fresh = Vec::new();
    for label in &labels {
        match known.get(&label.key()) {
            Some(stands) if stands.says(label) => report.unchanged += 1,
            stands => fresh.push((label, stands.map(|label| label.id))),
        }
    }
    insert(&mut tx, access.project_id, &fresh).await?;
    report.imported = fresh.len() as u64;
    let changed: BTreeSet<(i64, i64)> = fresh.iter().map(|(label, _)| label.pair()).collect();
    finish_photos(&mut tx, access.project_id, &catalog, &labels, &changed).await?;
    report.problems.sort();
    let details = json!({
        "imported": report.imported, "unchanged": report.unchanged, "problems": report.problems.len(),
        "annotators": annotators,
    });
    audit::record(&mut tx, &access, Operation::ImportLabels, details).await?;
    tx.commit().await?;
    slots::recount(db, access.project_id).await?;
    Ok(report)
}

/// A row in the database's terms.
struct Label<'a> {
    line: u64,
    photo_id: i64,
    attribute_id: i64,
    annotator_id: i64,
    answer: &'static str,
    value_id: Option<i64>,
    note: &'a str,
    duration_ms: Option<i32>,
}

/// Photo, attribute and annotator: of each there is one standing label.
type Key = (i64, i64, i64);

impl Label<'_> {
    fn key(&self) -> Key {
        (self.photo_id, self.attribute_id, self.annotator_id)
    }

    /// Photo and annotator.
    fn pair(&self) -> (i64, i64) {
        (self.photo_id, self.annotator_id)
    }
}

/// Rows that fit the project; the others go to the report's problems. Also how many annotators there are.
async fn fit<'a>(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    rows: &'a [LabelRow],
    report: &mut LabelImport,
) -> Result<(Vec<Label<'a>>, usize)> {
    let images: BTreeSet<&str> = rows.iter().map(|row| row.image.as_str()).collect();
    let images: Vec<String> = images.into_iter().map(str::to_owned).collect();
    let photos = names::photos(connection, project_id, &images).await?;
    let mut partial = Vec::new();
    for row in rows {
        match check(catalog, &photos, row) {
            Ok(label) => partial.push((row, label)),
            Err(reason) => report.problems.push((row.line, reason)),
        }
    }
    // Only rows that go in make annotators.
    let wanted: BTreeSet<&str> = partial.iter().map(|(row, _)| row.annotator.as_str()).collect();
    let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
    let annotators = names::annotators(connection, project_id, &wanted).await?;
    let labels = partial.into_iter().filter_map(|(row, label)| {
        let annotator_id = *annotators.get(&row.annotator)?;
        Some(Label { annotator_id, ..label })
    });
    Ok((labels.collect(), annotators.len()))
}

/// A row's label, its annotator still to come.
fn check<'a>(catalog: &Catalog, photos: &HashMap<String, i64>, row: &'a LabelRow) -> Result<Label<'a>, String> {
    let photo_id = *photos.get(&row.image).ok_or_else(|| format!("there is no photo `{}`", row.image))?;
    let entry = catalog
        .annotated_by_key(&row.attribute)
        .map_err(|_| format!("there is no annotated attribute `{}`", row.attribute))?;
    let (answer, value_id) =
        entry.columns(&row.answer).ok_or_else(|| format!("`{}` has no value `{}`", row.attribute, row.answer.key()))?;
    if row.annotator.is_empty() || row.annotator.chars().count() > MAX_NAME {
        return Err(format!("the annotator's name must have 1 to {MAX_NAME} characters"));
    }
    let note = row.note.as_deref().unwrap_or_default().trim();
    if note.chars().count() > MAX_NOTE {
        return Err(format!("the note is longer than {MAX_NOTE} characters"));
    }
    let duration_ms = row.duration_ms.map(i32::try_from).transpose();
    let duration_ms = duration_ms.map_err(|_| "the duration is longer than 24 days".to_owned())?;
    Ok(Label { line: row.line, photo_id, attribute_id: entry.id, annotator_id: 0, answer, value_id, note, duration_ms })
}

/// Of several readings of one photo and attribute by one annotator the last one counts; others that differ are reported.
fn last_readings<'a>(labels: Vec<Label<'a>>, report: &mut LabelImport) -> Vec<Label<'a>> {
    let mut last: HashMap<Key, usize> = HashMap::new();
    for (place, label) in labels.iter().enumerate() {
        last.insert(label.key(), place);
    }
    for (place, label) in labels.iter().enumerate() {
        let counts = &labels[last[&label.key()]];
        if last[&label.key()] == place {
            continue;
        }
        if (label.answer, label.value_id, label.note) == (counts.answer, counts.value_id, counts.note) {
            report.unchanged += 1;
        } else {
            let reason = format!(
                "the same annotator answers the same photo or an exact duplicate again in line {}, which counts",
                counts.line
            );
            report.problems.push((label.line, reason));
        }
    }
    let mut place = 0;
    let mut labels = labels;
    labels.retain(|label| {
        place += 1;
        last[&label.key()] == place - 1
    });
    labels
}

/// A label that stands.
struct Standing {
    id: i64,
    answer: String,
    value_id: Option<i64>,
    note: String,
}

impl Standing {
    fn says(&self, label: &Label<'_>) -> bool {
        self.answer == label.answer && self.value_id == label.value_id && self.note == label.note
    }
}

async fn standing(connection: &mut PgConnection, labels: &[Label<'_>]) -> Result<HashMap<Key, Standing>> {
    let photos: Vec<i64> = labels.iter().map(|label| label.photo_id).collect();
    let attributes: Vec<i64> = labels.iter().map(|label| label.attribute_id).collect();
    let annotators: Vec<i64> = labels.iter().map(|label| label.annotator_id).collect();
    let rows = sqlx::query!(
        "SELECT l.id, l.photo_id, l.attribute_id, l.annotator_id, l.answer, l.value_id, l.note
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w(photo_id, attribute_id, annotator_id)
         JOIN labels l ON l.photo_id = w.photo_id AND l.attribute_id = w.attribute_id
                      AND l.annotator_id = w.annotator_id AND l.superseded_at IS NULL",
        &photos,
        &attributes,
        &annotators,
    )
    .fetch_all(connection)
    .await?;
    let known = rows.into_iter().map(|row| {
        let stands = Standing { id: row.id, answer: row.answer, value_id: row.value_id, note: row.note };
        ((row.photo_id, row.attribute_id, row.annotator_id), stands)
    });
    Ok(known.collect())
}

/// Labels with the ids of those that they supersede.
async fn insert(connection: &mut PgConnection, project_id: i64, fresh: &[(&Label<'_>, Option<i64>)]) -> Result<()> {
    let replaced: Vec<Option<i64>> = fresh.iter().map(|(_, replaced)| *replaced).collect();
    let gone: Vec<i64> = replaced.iter().flatten().copied().collect();
    sqlx::query!("UPDATE labels SET superseded_at = now() WHERE id = ANY($1)", &gone).execute(&mut *connection).await?;
    let photos: Vec<i64> = fresh.iter().map(|(label, _)| label.photo_id).collect();
    let attributes: Vec<i64> = fresh.iter().map(|(label, _)| label.attribute_id).collect();
    let annotators: Vec<i64> = fresh.iter().map(|(label, _)| label.annotator_id).collect();
    let answers: Vec<String> = fresh.iter().map(|(label, _)| label.answer.to_owned()).collect();
    let values: Vec<Option<i64>> = fresh.iter().map(|(label, _)| label.value_id).collect();
    let notes: Vec<String> = fresh.iter().map(|(label, _)| label.note.to_owned()).collect();
    let durations: Vec<Option<i32>> = fresh.iter().map(|(label, _)| label.duration_ms).collect();
    sqlx::query!(
        "INSERT INTO labels (project_id, source, photo_id, attribute_id, annotator_id, answer, value_id, note, duration_ms,
                             supersedes)
         SELECT $1, 'import', *
         FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::integer[],
                     $9::bigint[])",
        project_id,
        &photos,
        &attributes,
        &annotators,
        &answers,
        &values as &[Option<i64>],
        &notes,
        &durations as &[Option<i32>],
        &replaced as &[Option<i64>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks photos as done by annotators who have answered all their attributes. A photo that an annotator has in hand is
/// done only if the import `changed` its labels.
async fn finish_photos(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    labels: &[Label<'_>],
    changed: &BTreeSet<(i64, i64)>,
) -> Result<()> {
    let pairs: BTreeSet<(i64, i64)> = labels.iter().map(Label::pair).collect();
    let photos: Vec<i64> = pairs.iter().map(|(photo, _)| *photo).collect();
    let annotators: Vec<i64> = pairs.iter().map(|(_, annotator)| *annotator).collect();
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let complete = sqlx::query!(
        r#"SELECT w.photo_id AS "photo_id!", w.annotator_id AS "annotator_id!", c.id AS "claim_id?"
           FROM unnest($1::bigint[], $2::bigint[]) AS w(photo_id, annotator_id)
           LEFT JOIN claims c ON c.photo_id = w.photo_id AND c.annotator_id = w.annotator_id AND c.released_at IS NULL
           WHERE c.done_at IS NULL
             AND cardinality($3::bigint[]) = (
                 SELECT count(*) FROM labels l
                 WHERE l.photo_id = w.photo_id AND l.annotator_id = w.annotator_id
                   AND l.attribute_id = ANY($3) AND l.superseded_at IS NULL)
           ORDER BY w.photo_id, w.annotator_id"#,
        &photos,
        &annotators,
        &attributes,
    )
    .fetch_all(&mut *connection)
    .await?;
    let held = complete.iter().filter(|pair| changed.contains(&(pair.photo_id, pair.annotator_id)));
    let held: Vec<i64> = held.filter_map(|pair| pair.claim_id).collect();
    sqlx::query!("UPDATE claims SET done_at = now(), returned_at = NULL WHERE id = ANY($1)", &held)
        .execute(&mut *connection)
        .await?;
    let without: Vec<_> = complete.iter().filter(|pair| pair.claim_id.is_none()).collect();
    let photos: Vec<i64> = without.iter().map(|pair| pair.photo_id).collect();
    let annotators: Vec<i64> = without.iter().map(|pair| pair.annotator_id).collect();
    let every: Vec<i64> = pairs.iter().map(|(photo, _)| *photo).collect();
    slots::lock_tasks(&mut *connection, &every).await?;
    slots::take(connection, project_id, &photos, &annotators, &[], 0, true).await?;
    queue::settle(connection, &every).await
}
