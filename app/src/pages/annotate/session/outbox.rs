//! Answers on their way to the server: sent in the background, tried again until the server has them.

use kenami_domain::view::annotate::{ClaimedPhoto, Submission};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Answers of different photos that are sent at the same time.
const AT_ONCE: usize = 3;
/// First pause after a failure; each further one doubles it.
const FIRST_PAUSE_MS: f64 = 1_000.0;
/// Longest pause.
const LONGEST_PAUSE_MS: f64 = 30_000.0;

/// Why a request did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server was not reached, or could not answer: trying again may help.
    Unreachable,
    /// Too many requests: try again after as many seconds.
    Busy(u64),
    /// Nobody is signed in any more.
    SignedOut,
    /// The server understood and said no, for this reason.
    Refused(String),
}

/// Answers with the photo that they are about; what the browser keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What is sent.
    pub submission: Submission,
    /// The photo, to show it should the server refuse.
    pub photo: ClaimedPhoto,
}

impl Failure {
    /// What it means for somebody who waits for photos.
    pub fn sentence(&self) -> String {
        match self {
            Self::Unreachable => {
                t!("The server cannot be reached. It is tried again every few seconds; your answers are kept here.")
                    .to_owned()
            }
            Self::Busy(_) => t!("The server is busy. It is tried again in a moment.").to_owned(),
            Self::SignedOut => {
                t!("You are signed out. Sign in again to go on; your answers are kept in this browser.").to_owned()
            }
            Self::Refused(reason) => reason.clone(),
        }
    }
}

/// What an outbox sends.
pub trait Outgoing: Clone {
    /// Its idempotency key, or one of its own: the same on every retry.
    fn key(&self) -> Uuid;

    /// Whether both answer one photo: the later one waits for the earlier.
    fn collides(&self, other: &Self) -> bool;

    /// Whether it answers this claim.
    fn answers(&self, claim_id: i64) -> bool;
}

impl Outgoing for Record {
    fn key(&self) -> Uuid {
        self.submission.idempotency_key
    }

    fn collides(&self, other: &Self) -> bool {
        self.submission.claim_id == other.submission.claim_id
    }

    fn answers(&self, claim_id: i64) -> bool {
        self.submission.claim_id == claim_id
    }
}

/// Answers that an earlier visit left in the browser.
#[derive(Debug, Clone, PartialEq)]
pub struct Left<R = Record> {
    /// The answers.
    pub record: R,
    /// Milliseconds since they were given.
    pub age: f64,
}

/// How far the answers are.
#[derive(Debug, Clone, PartialEq)]
pub enum SaveState {
    /// To be sent, at this time at the earliest.
    Waiting(f64),
    /// Being sent.
    Sending,
    /// The server said no, for this reason. Kept until somebody decides.
    Refused(String),
}

/// Answers in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<R> {
    /// The answers.
    pub record: R,
    /// How far they are.
    pub state: SaveState,
    /// Times that sending failed.
    pub failures: u32,
    /// When they were given; negative if that was before the visit.
    pub since: f64,
}

/// All answers that the server has not confirmed, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Outbox<R = Record> {
    entries: Vec<Entry<R>>,
    signed_out: bool,
}

impl<R> Default for Outbox<R> {
    fn default() -> Self {
        Self { entries: Vec::new(), signed_out: false }
    }
}

impl<R: Outgoing> Outbox<R> {
    /// Takes answers in, to be sent at once.
    pub fn push(&mut self, record: R, now: f64) {
        self.entries.push(Entry { record, state: SaveState::Waiting(now), failures: 0, since: now });
    }

    /// Takes in what an earlier visit left, oldest first: it goes before what this one gave. What is here already stays as
    /// it is.
    pub fn restore(&mut self, left: Vec<Left<R>>, now: f64) {
        let fresh: Vec<_> = left.into_iter().filter(|left| self.index(left.record.key()).is_none()).collect();
        let entries = fresh.into_iter().map(|Left { record, age }| Entry {
            record,
            state: SaveState::Waiting(f64::NEG_INFINITY),
            failures: 0,
            since: now - age,
        });
        self.entries.splice(0..0, entries);
    }

    /// Marks what can be sent now as being sent, and returns it. Two answers to one photo go one after the other, in the
    /// order in which they were given.
    pub fn due(&mut self, now: f64) -> Vec<R> {
        let mut sending = self.entries.iter().filter(|entry| entry.state == SaveState::Sending).count();
        let mut due = Vec::new();
        for index in 0..self.entries.len() {
            if sending == AT_ONCE {
                break;
            }
            let (before, rest) = self.entries.split_at_mut(index);
            let entry = &mut rest[0];
            let earlier = before
                .iter()
                .any(|other| other.record.collides(&entry.record) && !matches!(other.state, SaveState::Refused(_)));
            if !earlier && matches!(entry.state, SaveState::Waiting(at) if at <= now) {
                entry.state = SaveState::Sending;
                due.push(entry.record.clone());
                sending += 1;
            }
        }
        due
    }

    /// Takes note of a failure: tried again later, or kept as refused.
    pub fn failed(&mut self, key: Uuid, failure: Failure, now: f64) {
        let Some(index) = self.index(key) else { return };
        let entry = &mut self.entries[index];
        entry.failures += 1;
        let pause = (FIRST_PAUSE_MS * 2f64.powi(entry.failures.min(16) as i32 - 1)).min(LONGEST_PAUSE_MS);
        self.signed_out = failure == Failure::SignedOut;
        entry.state = match failure {
            Failure::Refused(reason) => SaveState::Refused(reason),
            Failure::Busy(seconds) => SaveState::Waiting(now + seconds as f64 * 1000.0),
            Failure::Unreachable | Failure::SignedOut => SaveState::Waiting(now + pause),
        };
    }

    /// Tries everything again now: the network is back.
    pub fn retry_now(&mut self, now: f64) {
        for entry in &mut self.entries {
            if let SaveState::Waiting(at) = &mut entry.state {
                *at = at.min(now);
            }
        }
    }

    /// Removes an entry.
    pub fn take(&mut self, key: Uuid) -> Option<R> {
        let index = self.index(key)?;
        self.signed_out = false;
        Some(self.entries.remove(index).record)
    }

    fn index(&self, key: Uuid) -> Option<usize> {
        self.entries.iter().position(|entry| entry.record.key() == key)
    }

    /// Whether answers to this claim are not confirmed yet.
    pub fn has_claim(&self, claim_id: i64) -> bool {
        self.entries.iter().any(|entry| entry.record.answers(claim_id))
    }

    /// Answers that the server does not have.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the server has everything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Answers that are waiting or being sent.
    pub fn unsaved(&self) -> usize {
        self.entries.iter().filter(|entry| !matches!(entry.state, SaveState::Refused(_))).count()
    }

    /// Since when the oldest of them waits.
    pub fn unsaved_since(&self) -> Option<f64> {
        let unsaved = self.entries.iter().filter(|entry| !matches!(entry.state, SaveState::Refused(_)));
        unsaved.map(|entry| entry.since).min_by(f64::total_cmp)
    }

    /// What is not on its way yet, oldest first.
    pub fn waiting(&self) -> Vec<R> {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.state, SaveState::Waiting(_)))
            .map(|entry| entry.record.clone())
            .collect()
    }

    /// Everything in it, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &R> {
        self.entries.iter().map(|entry| &entry.record)
    }

    /// Whether sending has failed and is tried again.
    pub fn in_trouble(&self) -> bool {
        self.entries.iter().any(|entry| entry.failures > 0 && !matches!(entry.state, SaveState::Refused(_)))
    }

    /// Whether the server wants a new sign-in before it takes anything.
    pub fn signed_out(&self) -> bool {
        self.signed_out
    }

    /// Answers that were refused, each with the reason.
    pub fn refused(&self) -> Vec<(R, String)> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.state {
                SaveState::Refused(reason) => Some((entry.record.clone(), reason.clone())),
                _ => None,
            })
            .collect()
    }
}
