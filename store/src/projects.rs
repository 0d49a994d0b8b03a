//! Projects, their settings and progress.

mod settings;

pub use settings::{settings, update};

use kenami_domain::{
    schema::is_valid_key,
    view::project::{AnnotatorProgress, GivenCount, Progress, Project, ProjectRow},
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    rights::{Operation, require, require_server},
    schema,
};

/// The projects that the actor may see, by name: one's own, or all for administrators and the command line.
///
/// # Errors
/// As [`require_server`] for [`Operation::ListProjects`].
pub async fn list(actor: &Actor, db: &Db) -> Result<Vec<ProjectRow>> {
    let user_id = require_server(actor, db, Operation::ListProjects).await?;
    let rows = sqlx::query!(
        r#"SELECT p.id, p.key, p.name, p.description, m.role AS "role?",
                  (SELECT count(*) FROM photos WHERE project_id = p.id) AS "photos!",
                  (SELECT count(*) FROM claims
                   WHERE project_id = p.id AND done_at IS NOT NULL AND released_at IS NULL AND slot IS NOT NULL) AS "slots_done!",
                  (SELECT coalesce(sum(greatest(needed, taken)), 0) FROM tasks WHERE project_id = p.id) AS "slots!"
           FROM projects p
           LEFT JOIN memberships m ON m.project_id = p.id AND m.user_id = $1
           WHERE m.role IS NOT NULL OR (SELECT administrator OR built_in FROM users WHERE id = $1)
           ORDER BY lower(p.name), p.id"#,
        user_id,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ProjectRow {
                id: row.id,
                key: row.key,
                name: row.name,
                description: row.description,
                role: row.role.as_deref().map(str::parse).transpose().map_err(Error::internal)?,
                photos: row.photos,
                slots_done: row.slots_done,
                slots: row.slots,
            })
        })
        .collect()
}

/// A project with its schema.
///
/// # Errors
/// As [`require`] for [`Operation::ReadProject`].
pub async fn get(actor: &Actor, db: &Db, key: &str) -> Result<Project> {
    let access = require(actor, db, Operation::ReadProject, key).await?;
    let attributes = schema::current(db, access.project_id).await?;
    let row = sqlx::query!(
        "SELECT key, name, description, overlap, lease_seconds FROM projects WHERE id = $1",
        access.project_id,
    )
    .fetch_one(db)
    .await?;
    Ok(Project {
        id: access.project_id,
        key: row.key,
        name: row.name,
        description: row.description,
        role: access.role,
        overlap: row.overlap,
        lease_seconds: row.lease_seconds,
        attributes,
    })
}

/// Makes a project and returns its id.
///
/// # Errors
/// [`Error::Invalid`] of `key` or `name`, [`Error::Conflict`] if the key is taken.
pub async fn create(actor: &Actor, db: &Db, key: &str, name: &str) -> Result<i64> {
    let by = require_server(actor, db, Operation::CreateProject).await?;
    check_name(name)?;
    let mut tx = db.begin().await?;
    let id = insert(&mut tx, by, key, name.trim())
        .await?
        .ok_or_else(|| Error::Conflict(format!("there is a project {key} already")))?;
    tx.commit().await?;
    Ok(id)
}

/// The id of the project to import into. The command line makes it if there is none, everybody else needs it to exist.
///
/// # Errors
/// [`Error::Invalid`] of `key`; as [`require`] for [`Operation::ImportPhotos`].
pub async fn ensure(actor: &Actor, db: &Db, key: &str) -> Result<i64> {
    match (require(actor, db, Operation::ImportPhotos, key).await, actor) {
        (Ok(access), _) => return Ok(access.project_id),
        (Err(Error::NotFound(_)), Actor::System) => {}
        (Err(error), _) => return Err(error),
    }
    let by = require_server(actor, db, Operation::CreateProject).await?;
    let mut tx = db.begin().await?;
    let id = match insert(&mut tx, by, key, key).await? {
        Some(id) => id,
        // Another command made it at the same moment.
        None => sqlx::query_scalar!("SELECT id FROM projects WHERE key = $1", key).fetch_one(&mut *tx).await?,
    };
    tx.commit().await?;
    Ok(id)
}

/// Inserts a project, unless the key is taken.
async fn insert(tx: &mut PgConnection, by: i64, key: &str, name: &str) -> Result<Option<i64>> {
    if !is_valid_key(key) || !key.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Error::invalid(
            "key",
            "must have 1 to 64 letters (a to z), digits, hyphens or underscores, and begin with a letter or digit",
        ));
    }
    let id = sqlx::query_scalar!(
        "INSERT INTO projects (key, name) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING id",
        key,
        name,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(id) = id {
        audit::record(tx, by, Operation::CreateProject, json!({ "project_id": id, "key": key })).await?;
    }
    Ok(id)
}

fn check_name(name: &str) -> Result<()> {
    if (1..=120).contains(&name.trim().chars().count()) {
        Ok(())
    } else {
        Err(Error::invalid("name", "must have 1 to 120 characters"))
    }
}

/// How far a project is.
///
/// A slot that was answered beyond the overlap (imported labels, a lowered overlap) counts as a slot, so that answered slots
/// are never more than all.
///
/// # Errors
/// As [`require`] for [`Operation::ReadProject`].
pub async fn progress(actor: &Actor, db: &Db, key: &str) -> Result<Progress> {
    let project_id = require(actor, db, Operation::ReadProject, key).await?.project_id;
    let photos = sqlx::query!(
        r#"SELECT count(*) AS "photos!", count(duplicate_of) AS "duplicates!" FROM photos WHERE project_id = $1"#,
        project_id,
    )
    .fetch_one(db)
    .await?;
    let slots = sqlx::query!(
        r#"SELECT coalesce(sum(greatest(t.needed, t.taken)), 0) AS "slots!",
                  count(*) FILTER (WHERE t.taken >= t.needed AND h.photo_id IS NULL) AS "photos_done!"
           FROM tasks t
           LEFT JOIN (SELECT DISTINCT photo_id FROM claims
                      WHERE project_id = $1 AND released_at IS NULL AND done_at IS NULL
                        AND slot IS NOT NULL) h ON h.photo_id = t.photo_id
           WHERE t.project_id = $1"#,
        project_id,
    )
    .fetch_one(db)
    .await?;
    let claims = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE done_at IS NOT NULL) AS "done!",
                  count(*) FILTER (WHERE done_at IS NULL AND (returned_at IS NOT NULL OR expires_at > now())) AS "held!"
           FROM claims WHERE project_id = $1 AND released_at IS NULL AND slot IS NOT NULL"#,
        project_id,
    )
    .fetch_one(db)
    .await?;
    let open = open_questions(db, project_id).await?;
    Ok(Progress {
        photos: photos.photos,
        duplicates: photos.duplicates,
        slots: slots.slots,
        slots_done: claims.done,
        slots_held: claims.held,
        photos_done: slots.photos_done,
        open_disagreements: open.disagreements,
        open_unsure: open.unsure,
        annotators: annotators(db, project_id).await?,
        given: given(db, project_id).await?,
    })
}

struct OpenQuestions {
    disagreements: i64,
    unsure: i64,
}

/// Undecided photo and attribute pairs whose votes differ, and undecided unsure answers.
async fn open_questions(db: &Db, project_id: i64) -> Result<OpenQuestions> {
    Ok(sqlx::query_as!(
        OpenQuestions,
        r#"SELECT count(*) FILTER (WHERE v.answers > 1) AS "disagreements!",
                  coalesce(sum(v.unsure), 0)::bigint AS "unsure!"
           FROM (SELECT photo_id, attribute_id, count(DISTINCT (answer, value_id)) AS answers,
                        count(*) FILTER (WHERE answer = 'unsure') AS unsure
                 FROM labels l WHERE project_id = $1 AND superseded_at IS NULL AND NOT gold
                   AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
                 GROUP BY photo_id, attribute_id) v
           WHERE (v.answers > 1 OR v.unsure > 0)
             AND NOT EXISTS (SELECT FROM adjudications d WHERE d.photo_id = v.photo_id
                             AND d.attribute_id = v.attribute_id AND d.superseded_at IS NULL)"#,
        project_id,
    )
    .fetch_one(db)
    .await?)
}

/// Per annotator the photos finished and the median time, summed over a photo's attributes.
async fn annotators(db: &Db, project_id: i64) -> Result<Vec<AnnotatorProgress>> {
    Ok(sqlx::query_as!(
        AnnotatorProgress,
        r#"SELECT a.name,
                  (SELECT count(*) FROM claims c WHERE c.annotator_id = a.id
                   AND c.done_at IS NOT NULL AND c.released_at IS NULL) AS "photos_done!",
                  (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.ms::float8)
                   FROM (SELECT sum(l.duration_ms) AS ms FROM labels l
                         WHERE l.annotator_id = a.id AND l.superseded_at IS NULL AND l.duration_ms IS NOT NULL
                         GROUP BY l.photo_id) s) AS median_ms
           FROM annotators a WHERE a.project_id = $1
           ORDER BY 2 DESC, a.name"#,
        project_id,
    )
    .fetch_all(db)
    .await?)
}

async fn given(db: &Db, project_id: i64) -> Result<Vec<GivenCount>> {
    Ok(sqlx::query_as!(
        GivenCount,
        r#"SELECT a.key AS attribute, v.key AS value, count(pv.photo_id) AS "photos!"
           FROM attributes a
           JOIN attribute_values v ON v.attribute_id = a.id
           LEFT JOIN photo_values pv ON pv.value_id = v.id
           WHERE a.project_id = $1 AND a.kind = 'given' AND a.retired_at IS NULL
           GROUP BY a.position, a.id, a.key, v.position, v.id, v.key
           HAVING v.retired_at IS NULL OR count(pv.photo_id) > 0
           ORDER BY a.position, a.id, v.position, v.id"#,
        project_id,
    )
    .fetch_all(db)
    .await?)
}
