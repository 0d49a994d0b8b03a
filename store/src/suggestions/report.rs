//! How far suggestions pull answers.

use kenami_domain::view::suggestions::{Agreeing, Pull};

use crate::{
    actor::Actor,
    db::Db,
    error::Result,
    rights::{self, Operation},
};

/// Agreement of standing labels with the suggestion that there was, by whether and how it was shown, per annotated attribute
/// in its order. Whether a pair of a photo and an annotator sees suggestions is chance, so the difference is their doing;
/// members who never see any count as unseen, too.
///
/// # Errors
/// Rights; the database.
pub async fn report(actor: &Actor, db: &Db, project: &str) -> Result<Vec<Pull>> {
    let access = rights::require(actor, db, Operation::ManageSuggestions, project).await?;
    let rows = sqlx::query!(
        r#"SELECT a.key,
                  count(*) FILTER (WHERE l.shown = 'unseen') AS "unseen!",
                  count(*) FILTER (WHERE l.shown = 'unseen' AND l.agrees) AS "unseen_agree!",
                  count(*) FILTER (WHERE l.shown = 'page') AS "seen!",
                  count(*) FILTER (WHERE l.shown = 'page' AND l.agrees) AS "seen_agree!",
                  count(*) FILTER (WHERE l.shown = 'grid') AS "grid!",
                  count(*) FILTER (WHERE l.shown = 'grid' AND l.agrees) AS "grid_agree!"
           FROM attributes a
           LEFT JOIN LATERAL (
               SELECT l.suggestion ->> 'shown' AS shown, coalesce(v.key, l.answer) = l.suggestion ->> 'value' AS agrees
               FROM labels l LEFT JOIN attribute_values v ON v.id = l.value_id
               WHERE l.project_id = $1 AND l.attribute_id = a.id AND l.superseded_at IS NULL
                 AND l.suggestion IS NOT NULL
           ) l ON true
           WHERE a.project_id = $1 AND a.kind = 'annotated' AND a.retired_at IS NULL
           GROUP BY a.id ORDER BY a.position, a.id"#,
        access.project_id,
    )
    .fetch_all(db)
    .await?;
    let pulls = rows.into_iter().map(|row| Pull {
        attribute: row.key,
        unseen: Agreeing { labels: row.unseen, agree: row.unseen_agree },
        seen: Agreeing { labels: row.seen, agree: row.seen_agree },
        grid: Agreeing { labels: row.grid, agree: row.grid_agree },
    });
    Ok(pulls.collect())
}
