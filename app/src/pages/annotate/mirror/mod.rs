//! Answers that wait in the browser until the server has them, so that a closed tab, a crash or an expired sign-in loses
//! none: in its database (IndexedDB), or where there is none, as in private windows of some browsers, in its local storage.
//!
//! Each waiting photo has an entry of its own: two tabs do not overwrite each other's. A tab that opens sends what it finds,
//! even what another tab is just sending: idempotency keys make that harmless. Entries carry the account and the project:
//! whoever signs in next in this browser does not send somebody else's answers.

mod database;
mod local;

use std::{cell::Cell, marker::PhantomData};

use leptos::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::session::{Left, Outgoing};

/// Where waiting answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the browser's database: they outlive the tab, the browser and the machine's restart.
    Database,
    /// In local storage, which a private window throws away when it closes.
    LocalStorage,
    /// Nowhere but in this page.
    Memory,
}

/// How well waiting answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Where they are.
    pub place: Place,
    /// Answers that are on their way there: some milliseconds each.
    pub unwritten: usize,
}

impl Keeping {
    /// Whether the page may be closed without losing an answer.
    pub fn is_safe(self) -> bool {
        self.place == Place::Database && self.unwritten == 0
    }
}

/// A record as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept<R> {
    /// When it was given, in milliseconds since 1970.
    at: f64,
    record: R,
}

/// Where one account's answers for one project wait.
#[derive(Debug, Clone)]
pub struct Mirror<R> {
    prefix: String,
    keeping: RwSignal<Keeping>,
    record: PhantomData<fn() -> R>,
}

impl<R: Outgoing + Serialize + DeserializeOwned + 'static> Mirror<R> {
    /// The place for the answers of account `user_id` in project `key`; `kind` tells pages apart.
    pub fn new(kind: &str, user_id: i64, key: &str) -> Self {
        Self {
            prefix: format!("kenami.{kind}.{user_id}.{key}."),
            keeping: RwSignal::new(Keeping { place: Place::Database, unwritten: 0 }),
            record: PhantomData,
        }
    }

    /// How well answers are kept, for the page to say so.
    pub fn keeping(&self) -> RwSignal<Keeping> {
        self.keeping
    }

    /// Keeps a record. The browser has it as soon as this returns, but for the first milliseconds of a visit.
    pub fn store(&self, record: &R) {
        let Ok(text) = serde_json::to_string(&Kept { at: timestamp(), record }) else { return };
        let (name, keeping) = (self.name(record.key()), self.keeping);
        keeping.try_update(|keeping| keeping.unwritten += 1);
        database::put(name.clone(), text.clone(), move |written| {
            let place = if written { Place::Database } else { local::put(&name, &text) };
            keeping.try_update(|keeping| {
                keeping.place = place;
                keeping.unwritten = keeping.unwritten.saturating_sub(1);
            });
        });
    }

    /// Forgets a record.
    pub fn forget(&self, key: Uuid) {
        let name = self.name(key);
        local::remove(&name);
        database::remove(name);
    }

    /// Hands everything that is kept to `then`, oldest first. What lies in local storage moves to the database.
    pub fn load(&self, then: impl FnOnce(Vec<Left<R>>) + 'static) {
        let keeping = self.keeping;
        let elsewhere = local::all(&self.prefix);
        database::all(self.prefix.clone(), move |found| {
            if found.is_none() {
                keeping.try_update(|keeping| keeping.place = local::place());
            }
            let mut texts = found.unwrap_or_default();
            for (name, text) in elsewhere {
                texts.push(text.clone());
                database::put(name.clone(), text, move |written| {
                    if written {
                        local::remove(&name);
                    }
                });
            }
            then(read(&texts, js_sys::Date::now()));
        });
    }

    fn name(&self, key: Uuid) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The records in `texts`, oldest first, each once. Texts of earlier versions have no time: they come first, answers to one
/// photo together.
fn read<R: Outgoing + DeserializeOwned>(texts: &[String], now: f64) -> Vec<Left<R>> {
    let mut kept: Vec<Kept<R>> = texts
        .iter()
        .filter_map(|text| {
            let dated = serde_json::from_str(text).ok();
            dated.or_else(|| Some(Kept { at: 0.0, record: serde_json::from_str(text).ok()? }))
        })
        .collect();
    kept.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut left: Vec<Left<R>> = Vec::new();
    for Kept { at, record } in kept {
        if !left.iter().any(|other| other.record.key() == record.key()) {
            let age = if at > 0.0 { (now - at).max(0.0) } else { 0.0 };
            left.push(Left { record, age });
        }
    }
    left
}

/// Milliseconds since 1970, later with each call: what is answered in one millisecond keeps its order.
fn timestamp() -> f64 {
    thread_local! {
        static LAST: Cell<f64> = const { Cell::new(0.0) };
    }
    let next = js_sys::Date::now().max(LAST.get() + 0.001);
    LAST.set(next);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Answer(Uuid);

    impl Outgoing for Answer {
        fn key(&self) -> Uuid {
            self.0
        }

        fn collides(&self, _: &Self) -> bool {
            false
        }

        fn answers(&self, _: i64) -> bool {
            false
        }
    }

    #[test]
    fn what_was_left_is_read_in_the_order_in_which_it_was_given() {
        let [old, first, second] = [1, 2, 3].map(|n| Answer(Uuid::from_u128(n)));
        let dated = |at: f64, record: &Answer| serde_json::to_string(&Kept { at, record }).unwrap();
        let texts = [
            dated(20.0, &second),
            dated(10.0, &first),
            // As versions before the database wrote it, and the same again from a move that was cut.
            serde_json::to_string(&old).unwrap(),
            serde_json::to_string(&old).unwrap(),
            "no record".to_owned(),
        ];
        let left = read::<Answer>(&texts, 30.0);
        let expected = [(old, 0.0), (first, 20.0), (second, 10.0)].map(|(record, age)| Left { record, age });
        assert_eq!(left, expected);
    }

    #[test]
    fn closing_is_safe_once_everything_is_in_the_database() {
        let keeping = Keeping { place: Place::Database, unwritten: 0 };
        assert!(keeping.is_safe());
        assert!(!Keeping { unwritten: 1, ..keeping }.is_safe());
        assert!(!Keeping { place: Place::LocalStorage, ..keeping }.is_safe());
        assert!(!Keeping { place: Place::Memory, ..keeping }.is_safe());
    }
}
