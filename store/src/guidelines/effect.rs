//! What versions did to agreement.

use std::collections::{HashMap, HashSet};

use kenami_domain::{
    agreement::{AgreementOptions, agreement},
    view::guidelines::{Agreed, Compared, DoubtScope, VersionEffect},
    votes::VoteTable,
};
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;

use crate::{
    actor::Actor,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// How far annotators agreed before and after each published version, newest first.
///
/// Where a publication sent photos back, both are measured on these: before are the votes that they had at that moment, the
/// doubted ones and the others; after are votes given under the version, each annotator's last. Where it sent none, before
/// are all votes of that moment, after all votes given under the version. Votes that a lead has put in doubt, and answers on
/// gold, are in neither.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute; rights; the database.
pub async fn effects(actor: &Actor, db: &Db, project: &str, attribute: &str) -> Result<Vec<VersionEffect>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let versions = sqlx::query_as!(
        Version,
        r#"SELECT id, version AS "version!", published_at AS "published_at!", doubt AS "doubt: Json<DoubtScope>"
           FROM guideline_versions WHERE attribute_id = $1 AND version IS NOT NULL ORDER BY version DESC"#,
        entry.id,
    )
    .fetch_all(&mut *tx)
    .await?;
    let labels = labels(&mut tx, access.project_id, entry).await?;
    tx.rollback().await?;
    let measured =
        tokio::task::spawn_blocking(move || versions.iter().map(|version| effect(version, &labels)).collect());
    measured.await.map_err(Error::internal)
}

struct Version {
    id: i64,
    version: i32,
    published_at: OffsetDateTime,
    doubt: Option<Json<DoubtScope>>,
}

/// Any label ever given on the attribute.
struct Label {
    photo: i64,
    annotator: i64,
    answer: String,
    version_id: Option<i64>,
    created_at: OffsetDateTime,
    superseded_at: Option<OffsetDateTime>,
    doubts: Vec<RaisedDoubt>,
}

#[derive(Clone, Copy)]
struct RaisedDoubt {
    /// The version that raised it; none for a lead's and a split's.
    version_id: Option<i64>,
    by_lead: bool,
    at: OffsetDateTime,
}

impl Label {
    fn doubted_by(&self, version: &Version) -> bool {
        self.doubts.iter().any(|doubt| doubt.version_id == Some(version.id))
    }

    /// Whether it was a vote when the version was published.
    fn stood_at(&self, version: &Version) -> bool {
        let doubted_before =
            |doubt: &RaisedDoubt| doubt.version_id != Some(version.id) && doubt.at < version.published_at;
        self.created_at < version.published_at
            && self.superseded_at.is_none_or(|at| at >= version.published_at)
            && !self.doubts.iter().any(doubted_before)
    }

    /// Whether it was given under the version, and no lead doubts it.
    fn is_under(&self, version: &Version) -> bool {
        self.version_id == Some(version.id) && self.doubts.iter().all(|doubt| !doubt.by_lead)
    }
}

/// All labels of the attribute, those on gold left out, by id.
async fn labels(connection: &mut PgConnection, project_id: i64, entry: &Entry) -> Result<Vec<Label>> {
    let rows = sqlx::query!(
        r#"SELECT x.label_id, d.guideline_version_id, coalesce(g.published_at, d.created_at) AS "at!",
                  d.guideline_version_id IS NULL AND d.schema_change_id IS NULL AS "by_lead!"
           FROM annotator_doubts d JOIN doubted_labels x ON x.doubt_id = d.id
           JOIN labels l ON l.id = x.label_id AND l.attribute_id = $2
           LEFT JOIN guideline_versions g ON g.id = d.guideline_version_id
           WHERE d.project_id = $1"#,
        project_id,
        entry.id,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut doubts: HashMap<i64, Vec<RaisedDoubt>> = HashMap::new();
    for row in rows {
        let doubt = RaisedDoubt { version_id: row.guideline_version_id, by_lead: row.by_lead, at: row.at };
        doubts.entry(row.label_id).or_default().push(doubt);
    }
    let rows = sqlx::query!(
        "SELECT id, photo_id, annotator_id, answer, value_id, guideline_version_id, created_at, superseded_at FROM labels
         WHERE project_id = $1 AND attribute_id = $2 AND NOT gold ORDER BY id",
        project_id,
        entry.id,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Label {
                photo: row.photo_id,
                annotator: row.annotator_id,
                answer: entry.answer(&row.answer, row.value_id)?.key().to_owned(),
                version_id: row.guideline_version_id,
                created_at: row.created_at,
                superseded_at: row.superseded_at,
                doubts: doubts.remove(&row.id).unwrap_or_default(),
            })
        })
        .collect()
}

fn effect(version: &Version, labels: &[Label]) -> VersionEffect {
    let doubted = labels.iter().filter(|label| label.doubted_by(version));
    let returned: HashSet<i64> = doubted.clone().map(|label| label.photo).collect();
    let compared = |label: &&Label| returned.is_empty() || returned.contains(&label.photo);
    let before = labels.iter().filter(compared).filter(|label| label.doubted_by(version) || label.stood_at(version));
    let after = labels.iter().filter(compared).filter(|label| label.is_under(version));
    VersionEffect {
        version: version.version,
        doubt: version.doubt.clone().map(|scope| scope.0),
        labels: doubted.count() as i64,
        photos: returned.len() as i64,
        compared: if returned.is_empty() { Compared::All } else { Compared::Returned },
        before: agreed(before),
        after: agreed(after),
    }
}

/// Agreement among labels, of which each annotator's last on a photo counts.
fn agreed<'a>(labels: impl Iterator<Item = &'a Label>) -> Agreed {
    const ATTRIBUTE: &str = "attribute";
    let last: HashMap<(i64, i64), &Label> = labels.map(|label| ((label.photo, label.annotator), label)).collect();
    let mut votes: HashMap<i64, i64> = HashMap::new();
    last.keys().for_each(|(photo, _)| *votes.entry(*photo).or_default() += 1);
    let mut table = VoteTable::new();
    for ((photo, annotator), label) in &last {
        table.push(&photo.to_string(), &annotator.to_string(), ATTRIBUTE, &label.answer);
    }
    let several = votes.values().filter(|votes| **votes > 1);
    let report = agreement(&table, &AgreementOptions { pairs: false, bootstrap: None });
    let measured = report.attributes.get(ATTRIBUTE);
    Agreed {
        photos: several.clone().count() as i64,
        votes: several.sum(),
        percent: measured.and_then(|measured| measured.percent),
        alpha: measured.and_then(|measured| measured.alpha),
        undefined: measured.and_then(|measured| {
            measured.undefined.get("alpha").or_else(|| measured.undefined.get("percent")).cloned()
        }),
    }
}
