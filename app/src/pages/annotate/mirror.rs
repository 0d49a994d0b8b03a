//! Answers that wait in the browser's local storage until the server has them, so that a reload, a crash or an expired
//! sign-in loses none.
//!
//! Each waiting photo has an entry of its own: two tabs do not overwrite each other's. Entries carry the account and the
//! project: whoever signs in next in this browser does not send somebody else's answers.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::session::Outgoing;

/// Where one account's answers for one project wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror<R> {
    prefix: String,
    record: PhantomData<fn() -> R>,
}

impl<R: Outgoing + Serialize + DeserializeOwned> Mirror<R> {
    /// The place for the answers of account `user_id` in project `key`; `kind` tells pages apart.
    pub fn new(kind: &str, user_id: i64, key: &str) -> Self {
        Self { prefix: format!("kenami.{kind}.{user_id}.{key}."), record: PhantomData }
    }

    /// Keeps a record. Without local storage (private windows of some browsers) this does nothing: the answers are then
    /// in memory alone, and the page warns before it is closed.
    pub fn store(&self, record: &R) {
        let name = self.name(record.key());
        if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(record)) {
            let _ = storage.set_item(&name, &text);
        }
    }

    /// Forgets a record.
    pub fn forget(&self, key: Uuid) {
        if let Some(storage) = storage() {
            let _ = storage.remove_item(&self.name(key));
        }
    }

    /// Everything that is kept, in no particular order.
    pub fn load(&self) -> Vec<R> {
        let Some(storage) = storage() else { return Vec::new() };
        let count = storage.length().unwrap_or(0);
        (0..count)
            .filter_map(|index| storage.key(index).ok().flatten())
            .filter(|name| name.starts_with(&self.prefix))
            .filter_map(|name| storage.get_item(&name).ok().flatten())
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect()
    }

    fn name(&self, key: Uuid) -> String {
        format!("{}{key}", self.prefix)
    }
}

const AUTO_ADVANCE: &str = "kenami.annotate.auto_advance";

/// The remembered setting "go to the next photo by itself"; on if nothing is remembered.
pub fn auto_advance() -> bool {
    storage().and_then(|storage| storage.get_item(AUTO_ADVANCE).ok().flatten()).as_deref() != Some("off")
}

/// Remembers the setting "go to the next photo by itself".
pub fn set_auto_advance(on: bool) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(AUTO_ADVANCE, if on { "on" } else { "off" });
    }
}

fn storage() -> Option<web_sys::Storage> {
    leptos::prelude::window().local_storage().ok().flatten()
}
