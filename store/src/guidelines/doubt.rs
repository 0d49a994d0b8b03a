//! What a publication puts in doubt: which votes, how many, and how their photos go back to the queue.

use kenami_domain::{
    answer::Answer,
    view::guidelines::{DoubtScope, ScopeCount},
};
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    catalog::{Catalog, Entry},
    db::Db,
    doubts::{self, Reason},
    error::{Error, Result},
    rights::{self, Access, Operation},
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
    let labels = sqlx::query_scalar!(
        r#"SELECT label_id AS "label_id!" FROM votes_in_scope($1, $2, $3, $4, $5, $6, $7) WHERE NOT decided"#,
        access.project_id,
        entry.id,
        values.as_deref(),
        kinds.as_deref(),
        scope.since,
        scope.only_unsure,
        scope.only_disputed,
    )
    .fetch_all(&mut *connection)
    .await?;
    let reason = Reason::Version(version_id);
    let doubted = doubts::raise(&mut *connection, access, entry.id, &labels, scope.since, reason).await?;
    let photos = doubts::send_back(connection, &doubted, scope.to).await?;
    Ok(ScopeCount { labels: doubted.len() as i64, photos, decided: 0 })
}
