//! What a publication puts in doubt: which votes, how many, and how their photos go back to the queue.

use kenami_domain::{
    answer::Answer,
    view::guidelines::{DoubtScope, Requeue, ScopeCount},
};
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    queue,
    rights::{self, Access, Operation},
    slots,
};

/// How many votes a publication with this scope would put in doubt now.
///
/// # Errors
/// [`Error::Invalid`] of unknown values; [`Error::NotFound`] for an unknown attribute; rights; the database.
pub async fn scope_count(
    actor: &Actor,
    db: &Db,
    project: &str,
    attribute: &str,
    scope: &DoubtScope,
) -> Result<ScopeCount> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let Answers { values, kinds } = Answers::of(entry, scope)?;
    Ok(sqlx::query_as!(
        ScopeCount,
        r#"SELECT count(*) FILTER (WHERE NOT decided) AS "labels!",
                  count(DISTINCT photo_id) FILTER (WHERE NOT decided) AS "photos!",
                  count(*) FILTER (WHERE decided) AS "decided!"
           FROM votes_in_scope($1, $2, $3, $4, $5, $6, $7)"#,
        access.project_id,
        entry.id,
        values.as_deref(),
        kinds.as_deref(),
        scope.since,
        scope.only_unsure,
        scope.only_disputed,
    )
    .fetch_one(db)
    .await?)
}

/// The answers of a scope in the database's terms; none: any answer.
struct Answers {
    values: Option<Vec<i64>>,
    /// Those that are no values.
    kinds: Option<Vec<String>>,
}

impl Answers {
    fn of(entry: &Entry, scope: &DoubtScope) -> Result<Self> {
        if scope.values.is_empty() {
            return Ok(Self { values: None, kinds: None });
        }
        let (mut values, mut kinds) = (Vec::new(), Vec::new());
        for key in &scope.values {
            let unknown = || Error::invalid("values", format!("`{}` has no value `{key}`", entry.key()));
            match entry.columns(&Answer::from(key.as_str())).ok_or_else(unknown)? {
                (_, Some(id)) => values.push(id),
                (kind, None) => kinds.push(kind.to_owned()),
            }
        }
        Ok(Self { values: Some(values), kinds: Some(kinds) })
    }
}

/// A vote that is put in doubt.
struct Doubted {
    photo_id: i64,
    annotator_id: i64,
    /// The annotator can still answer.
    here: bool,
}

/// Puts the votes of `scope` in doubt and sends their photos back. The caller has locked all annotators of the project, and
/// counts them anew.
pub(super) async fn raise(
    connection: &mut PgConnection,
    access: &Access,
    entry: &Entry,
    version_id: i64,
    scope: &DoubtScope,
) -> Result<ScopeCount> {
    let Answers { values, kinds } = Answers::of(entry, scope)?;
    sqlx::query!(
        "WITH meant AS MATERIALIZED (
             SELECT * FROM votes_in_scope($1, $2, $3, $4, $5, $6, $7) WHERE NOT decided
         ), doubts AS (
             INSERT INTO annotator_doubts (project_id, annotator_id, attribute_id, since, labels, photos, created_by,
                                           guideline_version_id)
             SELECT $1, annotator_id, $2, $5, count(*), count(*), $8, $9 FROM meant GROUP BY annotator_id
             RETURNING id, annotator_id
         ), marked AS (
             INSERT INTO doubted_labels (label_id, doubt_id)
             SELECT m.label_id, d.id FROM meant m JOIN doubts d ON d.annotator_id = m.annotator_id
         )
         INSERT INTO label_doubts (label_id, guideline_version_id) SELECT label_id, $9 FROM meant
         ON CONFLICT (label_id) DO UPDATE SET guideline_version_id = EXCLUDED.guideline_version_id",
        access.project_id,
        entry.id,
        values.as_deref(),
        kinds.as_deref(),
        scope.since,
        scope.only_unsure,
        scope.only_disputed,
        access.user_id,
        version_id,
    )
    .execute(&mut *connection)
    .await?;
    let doubted = sqlx::query_as!(
        Doubted,
        r#"SELECT l.photo_id, l.annotator_id,
                  EXISTS (SELECT 1 FROM able_annotators w WHERE w.annotator_id = l.annotator_id) AS "here!"
           FROM annotator_doubts d JOIN doubted_labels x ON x.doubt_id = d.id JOIN labels l ON l.id = x.label_id
           WHERE d.guideline_version_id = $1
           ORDER BY l.photo_id, l.annotator_id"#,
        version_id,
    )
    .fetch_all(&mut *connection)
    .await?;
    let (same, others): (Vec<&Doubted>, Vec<&Doubted>) =
        doubted.iter().partition(|vote| vote.here && scope.to == Requeue::Same);
    let pairs = |votes: &[&Doubted]| -> (Vec<i64>, Vec<i64>) {
        votes.iter().map(|vote| (vote.annotator_id, vote.photo_id)).unzip()
    };
    let (annotators, photos) = pairs(&same);
    slots::return_each(&mut *connection, &annotators, &photos).await?;
    let (annotators, photos) = pairs(&others);
    slots::leave_each(&mut *connection, &annotators, &photos).await?;
    let mut photos: Vec<i64> = doubted.iter().map(|vote| vote.photo_id).collect();
    photos.dedup();
    slots::lock_tasks(&mut *connection, &photos).await?;
    queue::settle(&mut *connection, &photos).await?;
    Ok(ScopeCount { labels: doubted.len() as i64, photos: photos.len() as i64, decided: 0 })
}
