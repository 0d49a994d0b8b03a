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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What is sent.
    pub submission: Submission,
    /// The photo, to show it should the server refuse.
    pub photo: ClaimedPhoto,
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

/// One photo's answers in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The answers.
    pub record: Record,
    /// How far they are.
    pub state: SaveState,
    /// Times that sending failed.
    pub failures: u32,
}

/// All answers that the server has not confirmed, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    entries: Vec<Entry>,
    signed_out: bool,
}

impl Outbox {
    pub(super) fn push(&mut self, record: Record, now: f64) {
        self.entries.push(Entry { record, state: SaveState::Waiting(now), failures: 0 });
    }

    /// Takes in what an earlier visit left; what is here already stays as it is.
    pub(super) fn restore(&mut self, records: Vec<Record>) {
        for record in records {
            if self.index(record.submission.idempotency_key).is_none() {
                let entry = Entry { record, state: SaveState::Waiting(f64::NEG_INFINITY), failures: 0 };
                self.entries.push(entry);
            }
        }
    }

    /// Marks what can be sent now as being sent, and returns it. Two answers to one photo go one after the other, in the
    /// order in which they were given.
    pub(super) fn due(&mut self, now: f64) -> Vec<Submission> {
        let mut sending = self.entries.iter().filter(|entry| entry.state == SaveState::Sending).count();
        let mut due = Vec::new();
        for index in 0..self.entries.len() {
            if sending == AT_ONCE {
                break;
            }
            let claim = self.entries[index].record.submission.claim_id;
            let earlier = self.entries[..index].iter().any(|entry| {
                entry.record.submission.claim_id == claim && !matches!(entry.state, SaveState::Refused(_))
            });
            let entry = &mut self.entries[index];
            if !earlier && matches!(entry.state, SaveState::Waiting(at) if at <= now) {
                entry.state = SaveState::Sending;
                due.push(entry.record.submission.clone());
                sending += 1;
            }
        }
        due
    }

    pub(super) fn failed(&mut self, key: Uuid, failure: Failure, now: f64) {
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

    pub(super) fn retry_now(&mut self, now: f64) {
        for entry in &mut self.entries {
            if let SaveState::Waiting(at) = &mut entry.state {
                *at = at.min(now);
            }
        }
    }

    /// Removes an entry.
    pub(super) fn take(&mut self, key: Uuid) -> Option<Record> {
        let index = self.index(key)?;
        self.signed_out = false;
        Some(self.entries.remove(index).record)
    }

    fn index(&self, key: Uuid) -> Option<usize> {
        self.entries.iter().position(|entry| entry.record.submission.idempotency_key == key)
    }

    pub(super) fn has_claim(&self, claim_id: i64) -> bool {
        self.entries.iter().any(|entry| entry.record.submission.claim_id == claim_id)
    }

    /// Photos whose answers the server does not have.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the server has everything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Photos whose answers are waiting or being sent.
    pub fn unsaved(&self) -> usize {
        self.entries.iter().filter(|entry| !matches!(entry.state, SaveState::Refused(_))).count()
    }

    /// What is not on its way yet, oldest first.
    pub fn waiting(&self) -> Vec<Submission> {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.state, SaveState::Waiting(_)))
            .map(|entry| entry.record.submission.clone())
            .collect()
    }

    /// Whether sending has failed and is tried again.
    pub fn in_trouble(&self) -> bool {
        self.entries.iter().any(|entry| entry.failures > 0 && !matches!(entry.state, SaveState::Refused(_)))
    }

    /// Whether the server wants a new sign-in before it takes anything.
    pub fn signed_out(&self) -> bool {
        self.signed_out
    }

    /// Photos whose answers were refused, each with the reason.
    pub fn refused(&self) -> Vec<(Record, String)> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.state {
                SaveState::Refused(reason) => Some((entry.record.clone(), reason.clone())),
                _ => None,
            })
            .collect()
    }
}
