//! Gold photos, and how they are used.

use kenami_domain::view::{
    Page,
    gold::{GoldAnswer, GoldImport, GoldSummary},
    project::GoldSettings,
};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// Gold answers a page.
pub const PAGE: usize = 50;

/// What there is of gold, how it is used, and whether nothing is wrong with either.
#[server(prefix = "/fn")]
pub async fn read_gold(key: String) -> Result<(GoldSummary, GoldSettings), ApiError> {
    let (actor, db) = super::server()?;
    let summary = kenami_store::gold::summary(&actor, &db, &key).await?;
    Ok((summary, kenami_store::projects::settings(&actor, &db, &key).await?.gold))
}

/// A page of gold answers.
#[server(prefix = "/fn", input = Json)]
pub async fn gold_answers(key: String, cursor: Option<i64>) -> Result<Page<GoldAnswer>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::gold::list(&actor, &db, &key, cursor, PAGE).await?)
}

/// Makes the decision about one attribute of a photo gold.
#[server(prefix = "/fn")]
pub async fn make_gold(key: String, photo_id: i64, attribute: String) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::gold::make(&actor, &db, &key, photo_id, &attribute).await?)
}

/// Makes photos with decisions gold; how many.
#[server(prefix = "/fn")]
pub async fn make_many_gold(key: String, photos: usize) -> Result<u64, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::gold::make_many(&actor, &db, &key, photos).await?)
}

/// Makes the answers of a table gold: image,attribute,answer[,explanation].
#[server(prefix = "/fn", input = Json)]
pub async fn put_gold(key: String, table: String) -> Result<GoldImport, ApiError> {
    let (actor, db) = super::server()?;
    let read = kenami_domain::csvio::read_gold(table.as_bytes())
        .map_err(|error| ApiError::Invalid { field: "table".to_owned(), message: error.to_string() })?;
    let mut done = kenami_store::gold::put(&actor, &db, &key, &read.value).await?;
    done.problems.extend(read.errors.iter().map(|error| (error.line, error.to_string())));
    done.problems.sort();
    Ok(done)
}

/// Takes one attribute of a photo out of the gold.
#[server(prefix = "/fn")]
pub async fn remove_gold(key: String, photo_id: i64, attribute: String) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::gold::remove(&actor, &db, &key, photo_id, &attribute).await?)
}

/// Changes how gold is used; shares are given in percent.
#[server(prefix = "/fn")]
pub async fn use_gold(
    key: String,
    gold_percent: f64,
    quiz_length: i16,
    pass_percent: f64,
    #[server(default)] quiz_repeats: bool,
) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    let mut settings = kenami_store::projects::settings(&actor, &db, &key).await?;
    settings.gold = GoldSettings {
        gold_rate: gold_percent / 100.0,
        quiz_length,
        quiz_pass_mark: pass_percent / 100.0,
        quiz_repeats,
    };
    Ok(kenami_store::projects::update(&actor, &db, &key, settings).await?)
}
