//! One annotator's answers, attribute by attribute: shares, gold, agreement with others, confusion with the consensus.

use std::collections::BTreeMap;

use kenami_domain::{
    agreement::{self, AgreementOptions},
    answer::Answer,
    gold,
    view::report::{AttributeReport, Confusion, Right},
    votes::VoteTable,
};
use sqlx::PgConnection;

use crate::{
    catalog::{Catalog, Entry},
    error::Result,
};

/// Two answers to one photo and how often they meet: the first is the consensus' or another annotator's.
type Pairs = BTreeMap<(Answer, Answer), i64>;

/// One report for each attribute that is answered.
pub(super) async fn of(
    connection: &mut PgConnection,
    catalog: &Catalog,
    annotator_id: i64,
) -> Result<Vec<AttributeReport>> {
    let shares = shares(connection, annotator_id).await?;
    let mut others = with_others(connection, catalog, annotator_id).await?;
    let mut consensus = with_consensus(connection, catalog, annotator_id).await?;
    let reports = catalog.annotated().map(|entry| {
        let share = shares.get(&entry.id).copied().unwrap_or_default();
        let pairs = others.remove(&entry.id).unwrap_or_default();
        let (percent, alpha, undefined) = agree(&pairs);
        AttributeReport {
            attribute: entry.key().to_owned(),
            labels: share.labels,
            unsure: share.unsure,
            not_visible: share.not_visible,
            gold: share.gold,
            gold_interval: gold::wilson(share.gold.right, share.gold.answers),
            pairs: pairs.values().sum(),
            percent,
            alpha,
            undefined,
            confusion: confusion(entry, &consensus.remove(&entry.id).unwrap_or_default()),
        }
    });
    Ok(reports.collect())
}

#[derive(Debug, Clone, Copy, Default)]
struct Share {
    labels: i64,
    unsure: i64,
    not_visible: i64,
    gold: Right,
}

async fn shares(connection: &mut PgConnection, annotator_id: i64) -> Result<BTreeMap<i64, Share>> {
    let rows = sqlx::query!(
        r#"SELECT l.attribute_id, count(*) AS "labels!", count(*) FILTER (WHERE l.answer = 'unsure') AS "unsure!",
                  count(*) FILTER (WHERE l.answer = 'not_visible') AS "not_visible!",
                  count(g.id) FILTER (WHERE l.gold) AS "gold!",
                  count(g.id) FILTER (WHERE l.gold AND g.answer = l.answer AND g.value_id IS NOT DISTINCT FROM l.value_id)
                      AS "correct!"
           FROM labels l
           LEFT JOIN gold_answers g ON g.photo_id = l.photo_id AND g.attribute_id = l.attribute_id AND g.removed_at IS NULL
           WHERE l.annotator_id = $1 AND l.superseded_at IS NULL GROUP BY l.attribute_id"#,
        annotator_id,
    )
    .fetch_all(connection)
    .await?;
    let share = rows.into_iter().map(|row| {
        let gold = Right { answers: row.gold, right: row.correct };
        (row.attribute_id, Share { labels: row.labels, unsure: row.unsure, not_visible: row.not_visible, gold })
    });
    Ok(share.collect())
}

/// Answers of others beside theirs, by attribute: votes of others, whatever is doubted of the annotator's own.
async fn with_others(
    connection: &mut PgConnection,
    catalog: &Catalog,
    annotator_id: i64,
) -> Result<BTreeMap<i64, Pairs>> {
    let rows = sqlx::query!(
        r#"SELECT m.attribute_id, m.answer, m.value_id, l.answer AS other, l.value_id AS other_value, count(*) AS "times!"
           FROM labels m
           JOIN labels l ON l.photo_id = m.photo_id AND l.attribute_id = m.attribute_id AND l.annotator_id <> m.annotator_id
                        AND l.superseded_at IS NULL AND NOT l.gold
                        AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
           WHERE m.annotator_id = $1 AND m.superseded_at IS NULL AND NOT m.gold
           GROUP BY m.attribute_id, m.answer, m.value_id, l.answer, l.value_id"#,
        annotator_id,
    )
    .fetch_all(connection)
    .await?;
    let mut pairs: BTreeMap<i64, Pairs> = BTreeMap::new();
    for row in rows {
        let entry = catalog.by_id(row.attribute_id)?;
        add(&mut pairs, entry, (&row.other, row.other_value), (&row.answer, row.value_id), row.times)?;
    }
    Ok(pairs)
}

/// The consensus beside their answers, those to gold photos included, by attribute: the decision, or else what most of the
/// others vote; ties have none.
async fn with_consensus(
    connection: &mut PgConnection,
    catalog: &Catalog,
    annotator_id: i64,
) -> Result<BTreeMap<i64, Pairs>> {
    let rows = sqlx::query!(
        r#"WITH mine AS (
               SELECT photo_id, attribute_id, answer, value_id FROM labels
               WHERE annotator_id = $1 AND superseded_at IS NULL
           ), counted AS (
               SELECT m.photo_id, m.attribute_id, l.answer, l.value_id, count(*) AS votes
               FROM mine m
               JOIN labels l ON l.photo_id = m.photo_id AND l.attribute_id = m.attribute_id AND l.annotator_id <> $1
                            AND l.superseded_at IS NULL AND NOT l.gold
                            AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
               GROUP BY m.photo_id, m.attribute_id, l.answer, l.value_id
           ), ranked AS (
               SELECT *, rank() OVER (PARTITION BY photo_id, attribute_id ORDER BY votes DESC) AS place FROM counted
           ), most AS (
               SELECT photo_id, attribute_id, min(answer) AS answer, min(value_id) AS value_id FROM ranked
               WHERE place = 1 GROUP BY photo_id, attribute_id HAVING count(*) = 1
           )
           SELECT m.attribute_id, m.answer, m.value_id,
                  CASE WHEN d.id IS NULL THEN most.answer ELSE d.answer END AS "consensus!",
                  CASE WHEN d.id IS NULL THEN most.value_id ELSE d.value_id END AS consensus_value, count(*) AS "times!"
           FROM mine m
           LEFT JOIN most ON most.photo_id = m.photo_id AND most.attribute_id = m.attribute_id
           LEFT JOIN adjudications d ON d.photo_id = m.photo_id AND d.attribute_id = m.attribute_id AND d.superseded_at IS NULL
           WHERE most.answer IS NOT NULL OR d.id IS NOT NULL
           GROUP BY 1, 2, 3, 4, 5"#,
        annotator_id,
    )
    .fetch_all(connection)
    .await?;
    let mut pairs: BTreeMap<i64, Pairs> = BTreeMap::new();
    for row in rows {
        let entry = catalog.by_id(row.attribute_id)?;
        add(&mut pairs, entry, (&row.consensus, row.consensus_value), (&row.answer, row.value_id), row.times)?;
    }
    Ok(pairs)
}

/// Counts a pair of answers, each by its columns.
fn add(
    pairs: &mut BTreeMap<i64, Pairs>,
    entry: &Entry,
    other: (&str, Option<i64>),
    own: (&str, Option<i64>),
    times: i64,
) -> Result<()> {
    let pair = (entry.answer(other.0, other.1)?, entry.answer(own.0, own.1)?);
    *pairs.entry(entry.id).or_default().entry(pair).or_default() += times;
    Ok(())
}

/// Percent and Krippendorff's alpha of pairs, each a unit with two votes; why alpha is undefined.
fn agree(pairs: &Pairs) -> (Option<f64>, Option<f64>, Option<String>) {
    const ATTRIBUTE: &str = "answers";
    let mut table = VoteTable::new();
    let mut unit = 0_i64;
    for ((other, own), times) in pairs {
        for _ in 0..*times {
            let name = unit.to_string();
            table.push(&name, "others", ATTRIBUTE, other.key());
            table.push(&name, "own", ATTRIBUTE, own.key());
            unit += 1;
        }
    }
    match agreement::agreement(&table, &AgreementOptions::default()).attributes.remove(ATTRIBUTE) {
        Some(mut measured) => (measured.percent, measured.alpha, measured.undefined.remove("alpha")),
        None => (None, None, Some("nobody else has answered the same photos".to_owned())),
    }
}

/// The matrix over the answers that occur or are on offer.
fn confusion(entry: &Entry, pairs: &Pairs) -> Confusion {
    let all = entry.attribute.values.iter().map(|value| (Answer::Value(value.key.clone()), !value.retired));
    let all = all.chain([(Answer::NotVisible, true), (Answer::Unsure, true)]);
    let occurs = |answer: &Answer| pairs.keys().any(|(consensus, own)| consensus == answer || own == answer);
    let answers: Vec<Answer> = all.filter(|(answer, offered)| *offered || occurs(answer)).map(|(a, _)| a).collect();
    let count = |consensus: &Answer, own: &Answer| pairs.get(&(consensus.clone(), own.clone())).copied().unwrap_or(0);
    let counts = answers.iter().map(|row| answers.iter().map(|column| count(row, column)).collect()).collect();
    Confusion { answers, counts }
}
