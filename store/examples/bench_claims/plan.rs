//! The plans of the queue's hot path.

use anyhow::{Result, ensure};
use sqlx::PgConnection;

use crate::ground::Ground;

/// Prints the plans that prepared statements get for the annotator with most claims, and fails if one reads more than it
/// must.
pub async fn check(ground: &Ground) -> Result<()> {
    let (annotator, priority, photo, since, epoch): (i64, f32, i64, i64, i64) = sqlx::query_as(
        "SELECT annotator_id, priority, photo_id, since, epoch FROM queue_places
         WHERE annotator_id = (SELECT annotator_id FROM claims GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)",
    )
    .fetch_one(&ground.db)
    .await?;
    let project = ground.project_id;
    let mut tx = ground.db.begin().await?;
    // The plan without the parameters' values is the one that is kept when a statement is used often.
    sqlx::raw_sql("SET LOCAL plan_cache_mode = force_generic_plan").execute(&mut *tx).await?;

    let query = include_str!("../../queries/lock_open.sql");
    let prepared = format!("PREPARE hot (bigint, bigint, bigint, real, bigint, bigint) AS {query}");
    let plan = plan(&mut tx, &prepared, &format!("{project}, {annotator}, 4, {priority}, {photo}, {since}")).await?;
    eprintln!("{} photos, taking 4:\n{plan}\n", ground.photos);
    ensure!(plan.contains("using tasks_open on tasks"), "the walk does not follow the index tasks_open");
    ensure!(plan.contains("using tasks_reopened on tasks"), "what opens again is not found by its index");
    ensure!(!plan.contains("Seq Scan"), "the walk reads a whole table");

    let beginning = format!("{project}, {annotator}, 4, 'infinity', 0, {}", i64::MAX);
    let whole = self::plan(&mut tx, &prepared, &beginning).await?;
    let time = whole.lines().last().unwrap_or_default();
    eprintln!("{} photos, the same from the beginning of the queue: {time}\n", ground.photos);

    let query = include_str!("../../queries/keep_place.sql");
    let prepared = format!("PREPARE hot (bigint, bigint, real, bigint, bigint, bigint, boolean) AS {query}");
    let values = format!("{project}, {annotator}, {priority}, {photo}, {since}, {epoch}, false");
    let plan = self::plan(&mut tx, &prepared, &values).await?;
    eprintln!("{} photos, keeping the place:\n{plan}\n", ground.photos);
    for table in ["tasks", "claims", "photos"] {
        ensure!(!plan.contains(&format!("Seq Scan on {table}")), "keeping the place reads all of {table}");
    }
    Ok(tx.rollback().await?)
}

async fn plan(connection: &mut PgConnection, prepared: &str, values: &str) -> Result<String> {
    sqlx::raw_sql(prepared).execute(&mut *connection).await?;
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS) EXECUTE hot({values})");
    let plan: Vec<String> = sqlx::query_scalar(&explain).persistent(false).fetch_all(&mut *connection).await?;
    sqlx::raw_sql("DEALLOCATE hot").execute(connection).await?;
    Ok(plan.join("\n"))
}
