//! How well annotators agree, and on which answers they do not.

use std::collections::HashMap;

use kenami_domain::{
    agreement::{self as measures, AgreementOptions},
    view::review::{AttributeAgreement, DisputedPair},
    votes::VoteTable,
};

use crate::{
    actor::Actor,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    votes,
};

/// Pairs of answers that stand against each other on some photo, most photos first.
///
/// # Errors
/// Rights; the database.
pub async fn pairs(actor: &Actor, db: &Db, project: &str) -> Result<Vec<DisputedPair>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let rows = sqlx::query_as!(
        DisputedRow,
        r#"WITH disputed AS (
               SELECT l.photo_id, l.attribute_id,
                      array_agg(DISTINCT coalesce(v.key, l.answer) COLLATE "C") AS answers
               FROM labels l LEFT JOIN attribute_values v ON v.id = l.value_id
               WHERE l.project_id = $1 AND l.attribute_id = ANY($2) AND l.superseded_at IS NULL AND NOT l.gold
                 AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
               GROUP BY l.photo_id, l.attribute_id
               HAVING count(DISTINCT coalesce(v.key, l.answer)) > 1)
           SELECT d.attribute_id, a.key AS "a!", b.key AS "b!", count(*) AS "photos!",
                  count(*) FILTER (WHERE x.id IS NULL) AS "open!"
           FROM disputed d CROSS JOIN unnest(d.answers) AS a(key) JOIN unnest(d.answers) AS b(key) ON a.key < b.key
           LEFT JOIN adjudications x ON x.photo_id = d.photo_id AND x.attribute_id = d.attribute_id
                                    AND x.superseded_at IS NULL
           GROUP BY d.attribute_id, a.key, b.key
           ORDER BY count(*) DESC, d.attribute_id, a.key, b.key"#,
        access.project_id,
        &attributes,
    )
    .fetch_all(&mut *connection)
    .await?;
    let pair = |row: DisputedRow| {
        let attribute = catalog.by_id(row.attribute_id)?.key().to_owned();
        Ok(DisputedPair { attribute, a: row.a, b: row.b, photos: row.photos, open: row.open })
    };
    rows.into_iter().map(pair).collect()
}

/// A row of [`pairs`].
struct DisputedRow {
    attribute_id: i64,
    a: String,
    b: String,
    photos: i64,
    open: i64,
}

/// How well annotators agree, per attribute that is answered, in the attributes' order.
///
/// # Errors
/// Rights; the database.
pub async fn agreement(actor: &Actor, db: &Db, project: &str) -> Result<Vec<AttributeAgreement>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let photos = votes::photo_names(&mut connection, access.project_id).await?;
    let name = |id| photos.get(&id).map(String::as_str);
    let table = votes::load(&mut connection, access.project_id, &catalog, name).await?;
    drop(connection);
    let keys: Vec<String> = catalog.annotated().map(|entry| entry.key().to_owned()).collect();
    tokio::task::spawn_blocking(move || measure(&table, keys)).await.map_err(Error::internal)
}

fn measure(table: &VoteTable, keys: Vec<String>) -> Vec<AttributeAgreement> {
    let report = measures::agreement(table, &AgreementOptions::default());
    let mut votes: HashMap<(&str, &str), i64> = HashMap::new();
    for row in table.rows() {
        *votes.entry((row.attribute, row.item)).or_default() += 1;
    }
    let several = |key: &str| {
        let of = votes.iter().filter(|((attribute, _), votes)| *attribute == key && **votes > 1);
        of.fold((0, 0), |(photos, all), (_, votes)| (photos + 1, all + votes))
    };
    let one = |key: String| {
        let (photos, votes) = several(&key);
        let measured = report.attributes.get(&key);
        let undefined = match measured {
            Some(measured) => measured.undefined.get("alpha").or_else(|| measured.undefined.get("percent")).cloned(),
            None => Some("no photo has two answers yet".to_owned()),
        };
        AttributeAgreement {
            attribute: key,
            photos,
            votes,
            percent: measured.and_then(|measured| measured.percent),
            alpha: measured.and_then(|measured| measured.alpha),
            alpha_not_visible_missing: measured.and_then(|measured| measured.alpha_not_visible_missing),
            undefined,
        }
    };
    keys.into_iter().map(one).collect()
}
