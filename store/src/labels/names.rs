//! Names in a file of labels: photos and annotators of the project.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::error::Result;

/// Photos by name; exact duplicates stand for the original, which carries the labels.
pub(crate) async fn photos(
    connection: &mut PgConnection,
    project_id: i64,
    names: &[String],
) -> Result<HashMap<String, i64>> {
    let rows = sqlx::query!(
        r#"SELECT name, coalesce(duplicate_of, id) AS "id!" FROM photos WHERE project_id = $1 AND name = ANY($2)"#,
        project_id,
        names,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.id)).collect())
}

/// Annotators by name, made where there is none. The name of a member (in any case) is that member's annotator.
pub(super) async fn annotators(
    connection: &mut PgConnection,
    project_id: i64,
    names: &[String],
) -> Result<HashMap<String, i64>> {
    // Names that are annotators already, members' names included, keep their rows; a row without an account that bears a
    // member's name becomes theirs.
    sqlx::query!(
        "WITH wanted AS (
             SELECT DISTINCT ON (coalesce(u.id::text, n.name)) n.name, u.id AS user_id
             FROM unnest($2::text[]) AS n(name)
             LEFT JOIN (users u JOIN memberships m ON m.user_id = u.id AND m.project_id = $1)
                 ON lower(u.name) = lower(n.name)
             ORDER BY coalesce(u.id::text, n.name), n.name <> coalesce(u.name, n.name), n.name)
         INSERT INTO annotators (project_id, name, user_id)
         SELECT $1, w.name, w.user_id FROM wanted w
         WHERE w.user_id IS NULL
            OR NOT EXISTS (SELECT 1 FROM annotators a WHERE a.project_id = $1 AND a.user_id = w.user_id)
         ON CONFLICT (project_id, name) DO UPDATE SET user_id = EXCLUDED.user_id
             WHERE annotators.user_id IS NULL AND EXCLUDED.user_id IS NOT NULL",
        project_id,
        names,
    )
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query!(
        r#"SELECT n.name AS "name!", a.id
           FROM unnest($2::text[]) AS n(name)
           JOIN LATERAL (
               SELECT a.id FROM annotators a LEFT JOIN users u ON u.id = a.user_id
               WHERE a.project_id = $1 AND (a.name = n.name OR lower(u.name) = lower(n.name))
               ORDER BY lower(u.name) = lower(n.name) DESC NULLS LAST LIMIT 1
           ) a ON true"#,
        project_id,
        names,
    )
    .fetch_all(&mut *connection)
    .await?;
    let annotators: HashMap<String, i64> = rows.into_iter().map(|row| (row.name, row.id)).collect();
    // Nobody else changes these annotators' labels until the import is through.
    let ids: Vec<i64> = annotators.values().copied().collect();
    sqlx::query!("SELECT id FROM annotators WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &ids)
        .fetch_all(connection)
        .await?;
    Ok(annotators)
}
