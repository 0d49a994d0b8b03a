//! Disagreements, agreement and decisions.

#[cfg(feature = "ssr")]
use kenami_domain::view::review::AgreementBy;
use kenami_domain::{
    agreement::AgreementReport,
    view::{
        Page,
        review::{
            AttributeAgreement, Decision, DecisionInput, Disagreement, DisagreementFilter, DisputedPair, Suspects,
        },
    },
};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Disagreements a page.
pub const PAGE: usize = 48;

/// A page of disagreements. Annotators have their names only where a decision stands: see [`hide_names`].
#[server(prefix = "/fn", input = Json)]
pub async fn disagreements(key: String, filter: DisagreementFilter) -> Result<Page<Disagreement>, ApiError> {
    let (actor, db) = super::server()?;
    let mut page = kenami_store::review::disagreements(&actor, &db, &key, &filter, PAGE).await?;
    page.items.iter_mut().for_each(hide_names);
    Ok(page)
}

/// One photo and attribute with its votes.
#[server(prefix = "/fn")]
pub async fn one_disagreement(key: String, photo_id: i64, attribute: String) -> Result<Disagreement, ApiError> {
    let (actor, db) = super::server()?;
    let mut found = kenami_store::review::disagreement(&actor, &db, &key, photo_id, &attribute).await?;
    hide_names(&mut found);
    Ok(found)
}

/// Pairs of answers that stand against each other, most photos first.
#[server(prefix = "/fn")]
pub async fn disputed_pairs(key: String) -> Result<Vec<DisputedPair>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::pairs(&actor, &db, &key).await?)
}

/// Agreement per annotated attribute.
#[server(prefix = "/fn")]
pub async fn agreement(key: String) -> Result<Vec<AttributeAgreement>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::agreement(&actor, &db, &key).await?)
}

/// The report on agreement; with `by` (a given attribute's key, `guideline_version`, `week`) its parts alone.
#[server(prefix = "/fn")]
pub async fn read_agreement(key: String, by: Option<String>) -> Result<AgreementReport, ApiError> {
    let (actor, db) = super::server()?;
    let by = by.as_deref().map(AgreementBy::from);
    let report = kenami_store::review::report(&actor, &db, &key, by.as_ref()).await?;
    let mut report = std::sync::Arc::unwrap_or_clone(report);
    if by.is_some() {
        // The page has the whole already, and shows no pairs of parts.
        report.attributes.clear();
        let parts = report.groups.values_mut().flat_map(|of| of.values_mut()).flat_map(|of| of.values_mut());
        parts.for_each(|part| part.confused.clear());
    }
    Ok(report)
}

/// Labels that deserve a second look, as they were last found.
#[server(prefix = "/fn")]
pub async fn read_suspects(key: String) -> Result<Option<Suspects>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::suspects(&actor, &db, &key).await?)
}

/// Looks for them anew.
#[server(prefix = "/fn")]
pub async fn find_suspects(key: String) -> Result<Suspects, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::find_suspects(&actor, &db, &key).await?)
}

/// Decides, and returns the disagreement with its decision.
#[server(prefix = "/fn", input = Json)]
pub async fn decide(key: String, decision: DecisionInput) -> Result<Disagreement, ApiError> {
    let (actor, db) = super::server()?;
    let (photo_id, attribute) = (decision.photo_id, decision.attribute.clone());
    kenami_store::review::decide(&actor, &db, &key, decision).await?;
    Ok(kenami_store::review::disagreement(&actor, &db, &key, photo_id, &attribute).await?)
}

/// Decides several at once; how many.
#[server(prefix = "/fn", input = Json)]
pub async fn decide_many(key: String, decisions: Vec<DecisionInput>) -> Result<usize, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::decide_many(&actor, &db, &key, &decisions).await?)
}

/// All decisions ever made about one photo and attribute, newest first.
#[server(prefix = "/fn")]
pub async fn decisions(key: String, photo_id: i64, attribute: String) -> Result<Vec<Decision>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::decisions(&actor, &db, &key, photo_id, &attribute).await?)
}

/// Takes a decision back.
#[server(prefix = "/fn")]
pub async fn reopen(key: String, photo_id: i64, attribute: String) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::review::reopen(&actor, &db, &key, photo_id, &attribute).await?)
}

/// Numbers the annotators instead of naming them while nothing is decided: who gave an answer must not sway the decision,
/// and what is not sent cannot be looked up in the page.
#[cfg_attr(not(feature = "ssr"), allow(dead_code))]
fn hide_names(disagreement: &mut Disagreement) {
    if disagreement.decision.is_none() {
        for (number, vote) in disagreement.votes.iter_mut().enumerate() {
            vote.annotator = t!("Annotator {number}", number = number + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::view::{
        photo::PhotoCard,
        review::{Cause, Vote},
    };
    use time::macros::datetime;

    use super::*;

    #[test]
    fn names_show_once_a_decision_stands() {
        let at = datetime!(2026-11-24 08:00 UTC);
        let vote = |annotator: &str| Vote {
            annotator: annotator.into(),
            answer: "drop".into(),
            note: String::new(),
            guideline_version: None,
            duration_ms: None,
            gold: false,
            created_at: at,
        };
        let mut open = Disagreement {
            photo: PhotoCard { id: 1, name: "a.jpg".into(), width: 1, height: 1, given: Default::default() },
            attribute: "ear".into(),
            votes: vec![vote("x"), vote("y")],
            decision: None,
            opinion: None,
        };
        let mut decided = open.clone();
        decided.decision = Some(Decision {
            answer: "drop".into(),
            cause: Cause::Slip,
            reason: String::new(),
            reviewer: "z".into(),
            created_at: at,
        });
        let names = |d: &Disagreement| d.votes.iter().map(|v| v.annotator.clone()).collect::<Vec<_>>();
        hide_names(&mut open);
        hide_names(&mut decided);
        assert_eq!(names(&open), ["Annotator 1", "Annotator 2"]);
        assert_eq!(names(&decided), ["x", "y"]);
    }
}
