//! Accounts, tokens and links.

use kenami_domain::{
    keys::Chosen,
    view::people::{LinkOffer, Me, Preferences, TokenRow, UserRow},
};
use leptos::{prelude::*, server_fn::codec::Json};

use super::ApiError;

/// The signed-in user; none if nobody is signed in.
#[server(prefix = "/fn")]
pub async fn read_me() -> Result<Option<Me>, ApiError> {
    use kenami_store::{error::Error, people};

    let (actor, db) = super::server()?;
    match people::me(&actor, &db).await {
        Ok(me) => Ok(Some(me)),
        Err(Error::Unauthenticated) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The user's keys and habits.
#[server(prefix = "/fn")]
pub async fn my_preferences() -> Result<Preferences, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::preferences::get(&actor, &db).await?)
}

/// Takes the user's keys from now on.
#[server(prefix = "/fn", input = Json)]
pub async fn save_keys(keys: Chosen) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::preferences::save_keys(&actor, &db, &keys).await?)
}

/// Says whether the next photo comes by itself.
#[server(prefix = "/fn")]
pub async fn save_auto_advance(on: bool) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::preferences::save_auto_advance(&actor, &db, on).await?)
}

/// What the one-time link `secret` offers.
#[server(prefix = "/fn")]
pub async fn read_link_offer(secret: String) -> Result<LinkOffer, ApiError> {
    let (_, db) = super::server()?;
    Ok(kenami_store::links::offer(&db, &secret).await?)
}

/// The user's API tokens.
#[server(prefix = "/fn")]
pub async fn tokens() -> Result<Vec<TokenRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::tokens::list(&actor, &db).await?)
}

/// Makes an API token and returns its secret, which is shown this once.
#[server(prefix = "/fn")]
pub async fn create_token(label: String) -> Result<String, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::tokens::create(&actor, &db, &label).await?)
}

/// Revokes an API token.
#[server(prefix = "/fn")]
pub async fn revoke_token(id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::tokens::revoke(&actor, &db, id).await?)
}

/// All accounts of the server, for administrators.
#[server(prefix = "/fn")]
pub async fn users() -> Result<Vec<UserRow>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::people::list(&actor, &db).await?)
}

/// Makes an account and a one-time link that signs it in; returns the link's secret.
#[server(prefix = "/fn")]
pub async fn create_user(name: String, administrator: Option<String>) -> Result<String, ApiError> {
    let (actor, db) = super::server()?;
    // A checkbox in a form sends its value or nothing.
    let id = kenami_store::people::create(&actor, &db, &name, administrator.is_some()).await?;
    Ok(kenami_store::links::sign_in_link(&actor, &db, id).await?)
}

/// Disables or enables an account.
#[server(prefix = "/fn")]
pub async fn set_disabled(user_id: i64, disabled: bool) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::people::set_disabled(&actor, &db, user_id, disabled).await?)
}

/// Makes a one-time link that signs an account in and lets it set a password; returns the link's secret.
#[server(prefix = "/fn")]
pub async fn sign_in_link(user_id: i64) -> Result<String, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::links::sign_in_link(&actor, &db, user_id).await?)
}
