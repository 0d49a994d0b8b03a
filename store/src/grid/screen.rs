//! The next screen.

use kenami_domain::{
    answer::NOT_VISIBLE,
    view::{
        annotate::Stopped,
        grid::{GridPhoto, GridScreen, Waiting},
    },
};
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    annotate::{annotator, ensure_annotator},
    cards::Cards,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    quiz,
    rights::{self, Access, Operation},
    slots,
};

/// The most photos of a screen.
const MOST: usize = 100;

/// Which screen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScreenQuery {
    /// Attribute key.
    pub attribute: String,
    /// Value key or `not_visible`; none for the one with the most photos waiting.
    pub value: Option<String>,
    /// Photos, from 1 to 100, else the nearest.
    pub want: usize,
    /// Claims that the page shows or is still saving: their photos do not come again.
    pub skip: Vec<i64>,
}

/// Who asks, where, and under which source.
struct Viewer {
    project_id: i64,
    annotator_id: i64,
    source_id: i64,
}

/// A photo that could be on the screen.
struct Candidate {
    photo_id: i64,
    claim_id: Option<i64>,
    probability: f32,
}

/// Gives the acting user a screen of photos to answer, the surest suggestions first: photos that they hold without an answer
/// to this attribute, and open ones, which are claimed. Photos of the control group never come.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute or value; [`Error::Conflict`] for who is on pause or has the quiz before them;
/// rights; the database.
pub async fn screen(actor: &Actor, db: &Db, project: &str, query: &ScreenQuery) -> Result<GridScreen> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let entry = catalog.annotated_by_key(&query.attribute)?;
    let mut tx = db.begin().await?;
    let mut screen = GridScreen {
        attribute: query.attribute.clone(),
        value: None,
        source_id: None,
        photos: Vec::new(),
        waiting: Vec::new(),
    };
    let Some(viewer) = viewer(&mut tx, &access).await? else { return Ok(screen) };
    match quiz::stopped(&mut tx, &access, viewer.annotator_id).await? {
        None => {}
        Some(Stopped::Paused) => return Err(paused()),
        Some(Stopped::Quiz) => {
            return Err(Error::Conflict("the quiz comes first: open the page Annotate".to_owned()));
        }
    }
    screen.source_id = Some(viewer.source_id);
    screen.waiting = waiting(&mut tx, &viewer, entry, &query.skip).await?;
    tx.commit().await?;
    let value = match &query.value {
        Some(value) => Some(value.clone()),
        // The first of those with the most.
        None => screen.waiting.iter().rev().max_by_key(|w| w.photos).filter(|w| w.photos > 0).map(|w| w.value.clone()),
    };
    let Some(value) = value else { return Ok(screen) };
    let value_id = entry.suggested_id(&value).ok_or(Error::NotFound("value"))?;
    screen.photos = fill(db, &viewer, entry.id, value_id, query).await?;
    screen.value = Some(value);
    Ok(screen)
}

fn paused() -> Error {
    Error::Conflict("a lead has paused your work here: ask them".to_owned())
}

/// The acting user as an annotator who sees suggestions, if there are any for them.
async fn viewer(connection: &mut PgConnection, access: &Access) -> Result<Option<Viewer>> {
    let source_id = sqlx::query_scalar!(
        "SELECT o.id FROM suggestion_sources o
         LEFT JOIN memberships m ON m.project_id = o.project_id AND m.user_id = $2
         WHERE o.project_id = $1 AND o.ended_at IS NULL AND coalesce(m.sees_suggestions, true)",
        access.project_id,
        access.user_id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(source_id) = source_id else { return Ok(None) };
    let annotator_id = match annotator(connection, access).await? {
        Some(id) => id,
        None => ensure_annotator(connection, access).await?,
    };
    slots::sweep(connection, access.project_id, annotator_id).await?;
    Ok(Some(Viewer { project_id: access.project_id, annotator_id, source_id }))
}

/// Photos that wait under each value that is on offer, and under "not visible" where there are some; where the walks stand is kept.
async fn waiting(connection: &mut PgConnection, viewer: &Viewer, entry: &Entry, skip: &[i64]) -> Result<Vec<Waiting>> {
    let offered = entry.attribute.values.iter().filter(|value| !value.retired);
    let keys = offered.map(|value| value.key.as_str()).chain([NOT_VISIBLE]);
    let ids: Vec<i64> = keys.filter_map(|key| entry.suggested_id(key)).collect();
    let rows = sqlx::query_file!(
        "queries/grid_waiting.sql",
        viewer.source_id,
        entry.id,
        &ids,
        viewer.annotator_id,
        skip,
        Waiting::MOST,
    )
    .fetch_all(&mut *connection)
    .await?;
    let probabilities: Vec<f32> = rows.iter().map(|row| row.probability).collect();
    let photos: Vec<i64> = rows.iter().map(|row| row.photo_id).collect();
    let anew: Vec<bool> = rows.iter().map(|row| row.anew).collect();
    sqlx::query!(
        "INSERT INTO grid_places AS g (annotator_id, source_id, attribute_id, value_id, probability, photo_id)
         SELECT $1, $2, $3, n.value_id, n.probability, n.photo_id
         FROM unnest($4::bigint[], $5::real[], $6::bigint[], $7::boolean[]) AS n (value_id, probability, photo_id, anew)
         LEFT JOIN grid_places o ON o.annotator_id = $1 AND o.source_id = $2 AND o.attribute_id = $3 AND o.value_id = n.value_id
         WHERE n.anew OR (o.probability, o.photo_id) IS DISTINCT FROM (n.probability, n.photo_id)
         ON CONFLICT (annotator_id, source_id, attribute_id, value_id) DO UPDATE
         SET probability = excluded.probability, photo_id = excluded.photo_id,
             begun_at = CASE WHEN g.begun_at > now() - interval '10 minutes' THEN g.begun_at ELSE now() END",
        viewer.annotator_id,
        viewer.source_id,
        entry.id,
        &ids,
        &probabilities,
        &photos,
        &anew,
    )
    .execute(connection)
    .await?;
    let waiting = rows.into_iter().map(|row| {
        let value = entry.suggested_key(row.value_id).ok_or_else(|| Error::internal("a value without a key"))?;
        Ok(Waiting { value: value.to_owned(), photos: row.photos })
    });
    let mut waiting = waiting.collect::<Result<Vec<_>>>()?;
    // Most sources never suggest it.
    waiting.retain(|w| w.value != NOT_VISIBLE || w.photos > 0);
    Ok(waiting)
}

/// Photos in the order of the screen. Others may take an open one before it is claimed.
async fn candidates(
    connection: &mut PgConnection,
    viewer: &Viewer,
    attribute_id: i64,
    value_id: i64,
    skip: &[i64],
    limit: i64,
) -> Result<Vec<Candidate>> {
    Ok(sqlx::query_file_as!(
        Candidate,
        "queries/grid_candidates.sql",
        viewer.source_id,
        attribute_id,
        value_id,
        viewer.annotator_id,
        skip,
        limit,
    )
    .fetch_all(connection)
    .await?)
}

/// Claims and loads the screen's photos.
async fn fill(
    db: &Db,
    viewer: &Viewer,
    attribute_id: i64,
    value_id: i64,
    query: &ScreenQuery,
) -> Result<Vec<GridPhoto>> {
    let want = query.want.clamp(1, MOST);
    let mut tx = db.begin().await?;
    slots::lock_annotator(&mut *tx, viewer.annotator_id).await?;
    if quiz::is_paused(&mut *tx, viewer.annotator_id).await? {
        return Err(paused());
    }
    // Some more: another annotator may be taking the same ones.
    let limit = i64::try_from(want * 2).map_err(Error::internal)?;
    let mut found = candidates(&mut tx, viewer, attribute_id, value_id, &query.skip, limit).await?;
    let open: Vec<i64> = found.iter().filter(|c| c.claim_id.is_none()).map(|c| c.photo_id).collect();
    let locked = slots::lock_open_of(&mut *tx, &open).await?;
    found.retain(|candidate| candidate.claim_id.is_some() || locked.contains(&candidate.photo_id));
    found.truncate(want);
    let lease = sqlx::query_scalar!("SELECT lease_seconds FROM projects WHERE id = $1", viewer.project_id)
        .fetch_one(&mut *tx)
        .await?;
    let new: Vec<i64> = found.iter().filter(|c| c.claim_id.is_none()).map(|c| c.photo_id).collect();
    if !new.is_empty() {
        let me = vec![viewer.annotator_id; new.len()];
        let claims = slots::take(&mut tx, viewer.project_id, &new, &me, &[], lease, false).await?;
        let fresh = found.iter_mut().filter(|candidate| candidate.claim_id.is_none());
        fresh.zip(claims).for_each(|(candidate, claim)| candidate.claim_id = Some(claim));
    }
    let held: Vec<i64> = found.iter().filter_map(|candidate| candidate.claim_id).collect();
    slots::extend(&mut *tx, &held, lease).await?;
    tx.commit().await?;

    let photos: Vec<i64> = found.iter().map(|candidate| candidate.photo_id).collect();
    let cards = Cards::load(db, &photos).await?;
    found
        .into_iter()
        .filter_map(|candidate| Some((candidate.claim_id?, candidate)))
        .map(|(claim_id, candidate)| {
            let photo = cards.get(candidate.photo_id)?;
            Ok(GridPhoto { claim_id, photo, probability: candidate.probability })
        })
        .collect()
}
