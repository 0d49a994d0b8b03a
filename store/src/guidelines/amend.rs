//! From disputed photos to the next version: they become examples of its rules.

use kenami_domain::{
    answer::Answer,
    view::guidelines::{AmendExample, Draft},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{draft, load};
use crate::{
    actor::Actor,
    audit,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// The most examples that are added at once.
pub const MAX_EXAMPLES: usize = 100;

/// Adds examples to the draft of the next version, each to the rule of the value that a reviewer has decided for its photo,
/// else of the one that is named; the decision's reason becomes the caption. Where there is no draft, one begins as a copy of
/// the text in force. Nothing else of the draft changes, and a photo that a rule shows already is not shown twice.
///
/// # Errors
/// [`Error::Invalid`] of `examples` where there are none or more than [`MAX_EXAMPLES`], where a photo has no decision and no
/// value is named, and where it was decided as not visible or unsure; [`Error::NotFound`] for an unknown attribute or photo;
/// rights; the database.
pub async fn amend(actor: &Actor, db: &Db, project: &str, attribute: &str, examples: &[AmendExample]) -> Result<Draft> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    if examples.is_empty() || examples.len() > MAX_EXAMPLES {
        return Err(Error::invalid("examples", format!("choose 1 to {MAX_EXAMPLES} photos")));
    }
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    draft::lock(&mut tx, entry.id).await?;
    let chosen = chosen(&mut tx, access.project_id, entry, examples).await?;
    let draft_id = begin(&mut tx, entry, access.user_id).await?;
    add(&mut tx, draft_id, &chosen).await?;
    let details = json!({ "draft": "examples added", "attribute": attribute, "examples": examples.len() });
    audit::record(&mut tx, &access, Operation::EditGuidelines, details).await?;
    let draft = load::draft(&mut tx, &catalog, entry).await?;
    tx.commit().await?;
    Ok(draft)
}

/// An example with the value that it shows.
struct Chosen {
    photo_id: i64,
    value_id: i64,
    caption: String,
}

async fn chosen(
    connection: &mut PgConnection,
    project_id: i64,
    entry: &Entry,
    examples: &[AmendExample],
) -> Result<Vec<Chosen>> {
    let photos: Vec<i64> = examples.iter().map(|example| example.photo_id).collect();
    let rows = sqlx::query!(
        r#"SELECT w.place AS "place!", p.name, coalesce(p.duplicate_of, p.id) AS "photo_id!", x.answer AS "answer?",
                  x.value_id AS "value_id?", x.reason AS "reason?"
           FROM unnest($2::bigint[]) WITH ORDINALITY AS w(id, place)
           JOIN photos p ON p.id = w.id AND p.project_id = $1
           LEFT JOIN adjudications x ON x.photo_id = coalesce(p.duplicate_of, p.id) AND x.attribute_id = $3
                                    AND x.superseded_at IS NULL
           ORDER BY w.place"#,
        project_id,
        &photos,
        entry.id,
    )
    .fetch_all(connection)
    .await?;
    if rows.len() < examples.len() {
        return Err(Error::NotFound("photo"));
    }
    let mut chosen = Vec::with_capacity(rows.len());
    for (row, example) in rows.into_iter().zip(examples) {
        let answer = match (&row.answer, &example.value) {
            (Some(answer), _) => entry.answer(answer, row.value_id)?,
            (None, Some(value)) => Answer::from(value.as_str()),
            (None, None) => {
                return Err(Error::invalid("examples", format!("say which value `{}` shows", row.name)));
            }
        };
        let (_, value_id) = entry.offered(&answer).map_err(|message| Error::invalid("examples", message))?;
        let value_id = value_id.ok_or_else(|| {
            Error::invalid("examples", format!("`{}` shows no value: it is {}", row.name, answer.key()))
        })?;
        let reason = row.reason.unwrap_or_default();
        let caption =
            reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(draft::MAX_CAPTION).collect();
        chosen.push(Chosen { photo_id: row.photo_id, value_id, caption });
    }
    Ok(chosen)
}

/// The id of the draft; where there is none, it begins as a copy of the text in force.
async fn begin(connection: &mut PgConnection, entry: &Entry, user_id: i64) -> Result<i64> {
    let there = sqlx::query_scalar!(
        "UPDATE guideline_versions SET updated_at = clock_timestamp() WHERE attribute_id = $1 AND version IS NULL
         RETURNING id",
        entry.id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = there {
        return Ok(id);
    }
    let in_force = sqlx::query!(
        "SELECT id, introduction FROM guideline_versions WHERE attribute_id = $1 AND version IS NOT NULL
         ORDER BY version DESC LIMIT 1",
        entry.id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let (old, introduction) = in_force.map_or((None, json!({})), |old| (Some(old.id), old.introduction));
    let id = sqlx::query_scalar!(
        "INSERT INTO guideline_versions (attribute_id, introduction, created_by, updated_at)
         VALUES ($1, $2, $3, clock_timestamp()) RETURNING id",
        entry.id,
        introduction,
        user_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query!(
        "WITH rules AS (
             INSERT INTO guideline_rules (guideline_version_id, value_id, position, rule)
             SELECT $1, value_id, position, rule FROM guideline_rules WHERE guideline_version_id = $2)
         INSERT INTO guideline_examples (guideline_version_id, value_id, photo_id, position, caption)
         SELECT $1, value_id, photo_id, position, caption FROM guideline_examples WHERE guideline_version_id = $2",
        id,
        old,
    )
    .execute(connection)
    .await?;
    Ok(id)
}

/// Adds examples after those that a rule has; rules that are missing begin empty, after the others.
async fn add(connection: &mut PgConnection, draft_id: i64, chosen: &[Chosen]) -> Result<()> {
    let values: Vec<i64> = chosen.iter().map(|example| example.value_id).collect();
    let photos: Vec<i64> = chosen.iter().map(|example| example.photo_id).collect();
    let captions: Vec<String> = chosen.iter().map(|example| example.caption.clone()).collect();
    sqlx::query!(
        "INSERT INTO guideline_rules (guideline_version_id, value_id, position)
         SELECT $1, v.id, (SELECT coalesce(max(position), 0) FROM guideline_rules WHERE guideline_version_id = $1)
                          + row_number() OVER (ORDER BY v.position, v.id)
         FROM attribute_values v
         WHERE v.attribute_id = (SELECT attribute_id FROM guideline_versions WHERE id = $1)
           AND (v.retired_at IS NULL OR v.id = ANY($2))
           AND NOT EXISTS (SELECT 1 FROM guideline_rules r WHERE r.guideline_version_id = $1 AND r.value_id = v.id)",
        draft_id,
        &values,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO guideline_examples (guideline_version_id, value_id, photo_id, position, caption)
         SELECT $1, e.value_id, e.photo_id,
                (SELECT coalesce(max(position), 0) FROM guideline_examples WHERE guideline_version_id = $1) + e.place,
                e.caption
         FROM unnest($2::bigint[], $3::bigint[], $4::text[]) WITH ORDINALITY AS e(value_id, photo_id, caption, place)
         ON CONFLICT DO NOTHING",
        draft_id,
        &values,
        &photos,
        &captions,
    )
    .execute(connection)
    .await?;
    Ok(())
}
