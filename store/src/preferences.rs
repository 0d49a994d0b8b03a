//! How an account works: its keys, and whether the next photo comes by itself.

use kenami_domain::{
    keys::{self, Chosen},
    view::people::Preferences,
};
use serde_json::json;

use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    rights::{Operation, require_server},
};

/// The acting account's preferences; the defaults if it never chose any.
///
/// # Errors
/// As [`require_server`] for [`Operation::OwnAccount`].
pub async fn get(actor: &Actor, db: &Db) -> Result<Preferences> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    let row = sqlx::query!("SELECT keys, auto_advance FROM preferences WHERE user_id = $1", user_id)
        .fetch_optional(db)
        .await?;
    Ok(match row {
        Some(row) => Preferences {
            // Written by a later version, perhaps: better the defaults than no page.
            keys: serde_json::from_value(row.keys).unwrap_or_default(),
            auto_advance: row.auto_advance,
        },
        None => Preferences::default(),
    })
}

/// Takes the acting account's keys from now on; an empty choice brings the defaults back.
///
/// # Errors
/// [`Error::Invalid`] of `keys` for a key that cannot be chosen; as [`require_server`] for [`Operation::OwnAccount`].
pub async fn save_keys(actor: &Actor, db: &Db, chosen: &Chosen) -> Result<()> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    keys::check(chosen).map_err(|refusal| Error::invalid("keys", refusal.to_string()))?;
    sqlx::query!(
        "INSERT INTO preferences (user_id, keys) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET keys = EXCLUDED.keys",
        user_id,
        json!(chosen),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Says whether the next photo comes by itself.
///
/// # Errors
/// As [`require_server`] for [`Operation::OwnAccount`].
pub async fn save_auto_advance(actor: &Actor, db: &Db, on: bool) -> Result<()> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    sqlx::query!(
        "INSERT INTO preferences (user_id, auto_advance) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET auto_advance = EXCLUDED.auto_advance",
        user_id,
        on,
    )
    .execute(db)
    .await?;
    Ok(())
}
