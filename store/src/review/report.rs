//! The full agreement report, as the command line makes it from a file, over a project's votes.

use std::{collections::HashMap, sync::Arc};

use kenami_domain::{
    agreement::{AgreementOptions, AgreementReport, Bootstrap, agreement, grouped, iso_week, latest},
    view::review::{AgreementBy, UNKNOWN_VERSION},
};

use crate::{
    actor::Actor,
    catalog::Catalog,
    counts::{Count, Counts},
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    votes::{self, Dated},
};

/// A report of many votes serves for so many times as long as it took.
const KEEP: u32 = 20;
static WHOLE: Counts<Kept> = Counts::new(KEEP);
static BY_VERSION: Counts<Kept> = Counts::new(KEEP);
static BY_WEEK: Counts<Kept> = Counts::new(KEEP);
static BY_GIVEN: Counts<Kept> = Counts::new(KEEP);

/// How far annotators agree, with 95 % bootstrap intervals, every pair of annotators and the confused answers; with `by` also
/// for each part of the votes. In a large project the figures may be some seconds old.
///
/// # Errors
/// [`Error::NotFound`] where `by` names no given attribute; rights; the database.
pub async fn report(actor: &Actor, db: &Db, project: &str, by: Option<&AgreementBy>) -> Result<Arc<AgreementReport>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let project_id = access.project_id;
    let kept = match by {
        None => WHOLE.get(db, project_id, |db, id| measured(db, id, None)).await?,
        Some(AgreementBy::Version) => {
            BY_VERSION.get(db, project_id, |db, id| measured(db, id, Some(Part::Version))).await?
        }
        Some(AgreementBy::Week) => BY_WEEK.get(db, project_id, |db, id| measured(db, id, Some(Part::Week))).await?,
        Some(AgreementBy::Given(key)) => {
            let catalog = Catalog::load(db, project_id).await?;
            let entry = catalog.entries.iter().find(|entry| entry.key() == key && catalog.is_given(key));
            let attribute_id = entry.ok_or(Error::NotFound("given attribute"))?.id;
            BY_GIVEN.get(db, attribute_id, by_given).await?
        }
    };
    Ok(kept.0)
}

#[derive(Clone)]
struct Kept(Arc<AgreementReport>);

impl Count for Kept {
    fn rows(&self) -> i64 {
        self.0.attributes.values().map(|found| found.votes as i64).sum()
    }
}

/// What the votes are parted by.
enum Part {
    Version,
    Week,
    /// The given attribute's key, and its value by photo id.
    Given(String, HashMap<String, String>),
}

impl Part {
    fn name(&self) -> &str {
        match self {
            Self::Version => AgreementBy::VERSION,
            Self::Week => AgreementBy::WEEK,
            Self::Given(key, _) => key,
        }
    }
}

async fn by_given(db: Db, attribute_id: i64) -> Result<Kept> {
    let attribute = sqlx::query!("SELECT project_id, key FROM attributes WHERE id = $1", attribute_id);
    let attribute = attribute.fetch_one(&db).await?;
    let rows = sqlx::query!(
        "SELECT p.photo_id, v.key FROM photo_values p JOIN attribute_values v ON v.id = p.value_id
         WHERE p.attribute_id = $1",
        attribute_id,
    )
    .fetch_all(&db)
    .await?;
    let values = rows.into_iter().map(|row| (row.photo_id.to_string(), row.key)).collect();
    measured(db, attribute.project_id, Some(Part::Given(attribute.key, values))).await
}

async fn measured(db: Db, project_id: i64, part: Option<Part>) -> Result<Kept> {
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, project_id).await?;
    let photos = votes::photo_names(&mut connection, project_id).await?;
    let name = |id| photos.get(&id).map(String::as_str);
    let votes = votes::load_dated(&mut connection, project_id, &catalog, name).await?;
    drop(connection);
    let report = tokio::task::spawn_blocking(move || compute(&votes, part.as_ref()));
    Ok(Kept(Arc::new(report.await.map_err(Error::internal)?)))
}

fn compute(votes: &Dated, part: Option<&Part>) -> AgreementReport {
    let options = AgreementOptions { bootstrap: Some(Bootstrap::default()), pairs: part.is_none() };
    let mut report = agreement(&votes.table, &options);
    let Some(part) = part else { return report };
    let groups = match part {
        Part::Version => grouped(&votes.table, &options, |number, _| {
            Some(votes.versions[number].map_or_else(|| UNKNOWN_VERSION.to_owned(), |version| version.to_string()))
        }),
        Part::Week => {
            let weeks = latest(&votes.table, |number, _| Some(iso_week(votes.given_at[number])));
            grouped(&votes.table, &options, |number, _| weeks[number].clone())
        }
        Part::Given(_, values) => grouped(&votes.table, &options, |_, vote| values.get(vote.item).cloned()),
    };
    report.groups.insert(part.name().to_owned(), groups);
    report
}
