//! Photos that a head got wrong.

use kenami_domain::{
    dataset::Split,
    view::{Page, run::Mistake},
};

use crate::{
    actor::Actor,
    cards::Cards,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// Which mistakes of a head to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MistakeFilter {
    /// Attribute key of the head.
    pub head: String,
    /// Value key in the dataset; any if none.
    pub answer: Option<String>,
    /// Value key that the head put first; any if none.
    pub predicted: Option<String>,
    /// One split; all if none.
    pub split: Option<Split>,
    /// From the previous page.
    pub cursor: Option<i64>,
}

/// Photos where the head's most likely answer is not the dataset's, the surest first; `limit` from 1 to 200. Photos whose
/// answer is not to be trained on are left out; "not visible" counts where the head has learnt it.
///
/// # Errors
/// [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn mistakes(
    actor: &Actor,
    db: &Db,
    project: &str,
    run_id: i64,
    filter: &MistakeFilter,
    limit: usize,
) -> Result<Page<Mistake>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let limit = limit.clamp(1, 200);
    let mut connection = db.acquire().await?;
    let dataset_id = sqlx::query_scalar!(
        "SELECT dataset_id FROM runs WHERE id = $1 AND project_id = $2",
        run_id,
        access.project_id,
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or(Error::NotFound("run"))?;
    // The cursor is the last photo of the page before: the next ones are less sure, or as sure with a greater id.
    let rows = sqlx::query!(
        r#"WITH wrong AS (
               SELECT i.photo_id, i.item ->> 'split' AS split, t.answer, best.key AS predicted, best.probability
               FROM run_predictions r
               JOIN attributes a ON a.id = r.attribute_id AND a.key = $4 AND a.project_id = $3
               JOIN dataset_items i ON i.dataset_id = $2 AND i.photo_id = r.photo_id
               CROSS JOIN LATERAL (
                   SELECT coalesce(i.item -> 'given' ->> $4,
                                   CASE WHEN i.item -> 'masks' ->> $4 = '1'
                                             OR i.item -> 'answers' ->> $4 = 'not_visible' AND r.distribution ? 'not_visible'
                                        THEN i.item -> 'answers' ->> $4 END) AS answer
               ) t
               CROSS JOIN LATERAL (
                   SELECT d.key, d.value::double precision AS probability FROM jsonb_each_text(r.distribution) d
                   ORDER BY d.value::double precision DESC, d.key LIMIT 1
               ) best
               WHERE r.run_id = $1 AND t.answer <> best.key
                 AND ($5::text IS NULL OR t.answer = $5) AND ($6::text IS NULL OR best.key = $6)
                 AND ($7::text IS NULL OR i.item ->> 'split' = $7))
           SELECT w.photo_id, w.split AS "split!", w.answer AS "answer!", w.predicted AS "predicted!",
                  w.probability AS "probability!"
           FROM wrong w LEFT JOIN wrong last ON last.photo_id = $8
           WHERE last.photo_id IS NULL
              OR w.probability < last.probability OR (w.probability = last.probability AND w.photo_id > last.photo_id)
           ORDER BY w.probability DESC, w.photo_id
           LIMIT $9"#,
        run_id,
        dataset_id,
        access.project_id,
        filter.head,
        filter.answer,
        filter.predicted,
        filter.split.map(Split::as_str),
        filter.cursor,
        i64::try_from(limit + 1).map_err(Error::internal)?,
    )
    .fetch_all(&mut *connection)
    .await?;
    let page = Page::from_rows(rows, limit, |row| row.photo_id);
    let photos: Vec<i64> = page.items.iter().map(|row| row.photo_id).collect();
    let cards = Cards::load(&mut *connection, &photos).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        let split = Split::ALL.into_iter().find(|split| split.as_str() == row.split);
        items.push(Mistake {
            photo: cards.get(row.photo_id)?,
            split: split.ok_or_else(|| Error::internal(format!("`{}` is no split", row.split)))?,
            answer: row.answer,
            predicted: row.predicted,
            probability: row.probability,
        });
    }
    Ok(Page { items, next_cursor: page.next_cursor })
}
