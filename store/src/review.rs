//! Disagreements and decisions.

use kenami_domain::view::{
    Page,
    review::{AttributeAgreement, Decision, DecisionInput, Disagreement, DisagreementFilter, DisputedPair},
};

use crate::{actor::Actor, db::Db, error::Result};

/// Photos and attributes whose answers differ.
pub async fn disagreements(
    actor: &Actor,
    db: &Db,
    project: &str,
    filter: &DisagreementFilter,
    limit: usize,
) -> Result<Page<Disagreement>> {
    let _ = (actor, db, project, filter, limit);
    unimplemented!()
}
/// One photo and attribute with its votes, whether they differ or not.
pub async fn disagreement(
    actor: &Actor,
    db: &Db,
    project: &str,
    photo_id: i64,
    attribute: &str,
) -> Result<Disagreement> {
    let _ = (actor, db, project, photo_id, attribute);
    unimplemented!()
}
/// Pairs of answers that stand against each other, most photos first.
pub async fn pairs(actor: &Actor, db: &Db, project: &str) -> Result<Vec<DisputedPair>> {
    let _ = (actor, db, project);
    unimplemented!()
}
/// Decides; an earlier decision is superseded.
pub async fn decide(actor: &Actor, db: &Db, project: &str, input: DecisionInput) -> Result<Decision> {
    let _ = (actor, db, project, input);
    unimplemented!()
}
/// Takes the decision back.
pub async fn reopen(actor: &Actor, db: &Db, project: &str, photo_id: i64, attribute: &str) -> Result<()> {
    let _ = (actor, db, project, photo_id, attribute);
    unimplemented!()
}
/// Agreement per annotated attribute.
pub async fn agreement(actor: &Actor, db: &Db, project: &str) -> Result<Vec<AttributeAgreement>> {
    let _ = (actor, db, project);
    unimplemented!()
}
