//! Photos of a project, for grids and pickers.

use kenami_domain::view::{Page, photo::PhotoCard};
use leptos::prelude::*;

use super::ApiError;

/// Photos a page in grids.
pub const PAGE: usize = 48;

/// A page of a project's photos whose name holds `name_contains`, and whose given `attribute` is `value` where both are
/// given.
#[server(prefix = "/fn")]
pub async fn photos(
    key: String,
    cursor: Option<i64>,
    name_contains: Option<String>,
    attribute: Option<String>,
    value: Option<String>,
) -> Result<Page<PhotoCard>, ApiError> {
    use kenami_store::photos::{self, PhotoQuery};

    let (actor, db) = super::server()?;
    let query = PhotoQuery {
        cursor,
        limit: PAGE,
        given: attribute.zip(value),
        name_contains: name_contains.filter(|name| !name.trim().is_empty()),
    };
    Ok(photos::list(&actor, &db, &key, query).await?)
}

/// Some of a project's photos, from all over the first few hundred: neighbours tend to look alike.
#[server(prefix = "/fn")]
pub async fn sample_photos(key: String, count: usize) -> Result<Vec<PhotoCard>, ApiError> {
    use kenami_store::photos::{self, PhotoQuery};

    const LOOKED_AT: usize = 200;
    let (actor, db) = super::server()?;
    let query = PhotoQuery { cursor: None, limit: LOOKED_AT, given: None, name_contains: None };
    let photos = photos::list(&actor, &db, &key, query).await?.items;
    let step = photos.len().div_ceil(count.max(1)).max(1);
    Ok(photos.into_iter().step_by(step).collect())
}
