//! Ties the [`Session`] to the browser: time, requests, storage, what the window tells.

use std::time::Duration;

use kenami_domain::view::guidelines::Guideline;
use leptos::{ev, prelude::*, server_fn::ServerFn, task::spawn_local};

use super::{
    mirror::{Keeping, Mirror},
    session::{Effect as Task, Event, Failure, Question, Record, Session},
};
use crate::api::{
    ApiError,
    annotate::{ReleasePhotos, claim_photos, finished_photos, submit_answers, undo_photo},
    guidelines::guidelines,
};

/// Finished photos of earlier visits that can be taken back.
const HISTORY: usize = 10;
/// How often an open page looks for new guidelines.
const GUIDELINES_EVERY_MS: f64 = 120_000.0;

/// A session in a browser window. Copies are handles to the same one.
#[derive(Clone, Copy)]
pub struct Driver {
    /// The state.
    pub session: RwSignal<Session>,
    /// The guidelines that are shown.
    pub guides: RwSignal<Vec<Guideline>>,
    /// Names of attributes whose guideline changed during the visit, with what changed.
    pub news: RwSignal<Vec<(String, String)>>,
    /// How well waiting answers are kept.
    pub keeping: RwSignal<Keeping>,
    key: StoredValue<String>,
    mirror: StoredValue<Mirror<Record>>,
    guides_read: StoredValue<f64>,
}

impl Driver {
    /// A visit of account `user_id` to project `key`.
    pub fn new(key: String, user_id: i64, lease_seconds: i32, guides: Vec<Guideline>) -> Self {
        let session = Session::new(questions(&guides), lease_seconds, uuid::Uuid::new_v4);
        let mirror = Mirror::new("answers", user_id, &key);
        Self {
            session: RwSignal::new(session),
            guides: RwSignal::new(guides),
            news: RwSignal::new(Vec::new()),
            keeping: mirror.keeping(),
            mirror: StoredValue::new(mirror),
            key: StoredValue::new(key),
            guides_read: StoredValue::new(0.0),
        }
    }

    /// The project's key.
    pub fn key(self) -> String {
        self.key.get_value()
    }

    /// Hands an event to the session and does what it asks for. Does nothing once the page is gone.
    pub fn send(self, event: Event) {
        let tasks = self.session.try_update(|session| session.handle(event, now()));
        for task in tasks.unwrap_or_default() {
            self.run(task);
        }
    }

    /// Begins: loads what waits, listens to the window, asks for photos. Browser only; call it in an effect of the page.
    pub fn start(self, auto_advance: bool) {
        self.guides_read.set_value(now());
        let load = move |left| {
            self.send(Event::Restored(left));
            // Only now: the first event asks for photos, and those that wait with their answers must not come again.
            self.send(Event::AutoAdvance(auto_advance));
            let Some(key) = self.key.try_get_value() else { return };
            spawn_local(async move {
                // Without it undo only reaches back to the beginning of the visit.
                if let Ok(photos) = finished_photos(key, HISTORY).await {
                    self.send(Event::History(photos));
                }
            });
        };
        self.mirror.with_value(|mirror| mirror.load(load));
        self.listen();
    }

    fn listen(self) {
        let mut handles = vec![
            window_event_listener(ev::online, move |_| self.send(Event::Online)),
            window_event_listener(ev::visibilitychange, move |_| {
                let visible = !document().hidden();
                self.send(Event::Visible(visible));
                if visible {
                    self.read_guidelines();
                }
            }),
            window_event_listener(ev::pagehide, move |_| self.release()),
            window_event_listener(ev::pageshow, move |event| {
                if event.persisted() {
                    self.send(Event::Resumed);
                }
            }),
            window_event_listener(ev::beforeunload, move |event| {
                let unsaved = self.session.try_with_untracked(|session| session.outbox().unsaved() > 0) == Some(true);
                if unsaved && self.keeping.try_get_untracked().is_some_and(|keeping| !keeping.is_safe()) {
                    event.prevent_default();
                }
            }),
        ];
        let ticking = set_interval_with_handle(
            move || {
                self.send(Event::Tick);
                let read = self.guides_read.try_get_value().unwrap_or(f64::INFINITY);
                if now() - read > GUIDELINES_EVERY_MS && !document().hidden() {
                    self.read_guidelines();
                }
            },
            Duration::from_secs(1),
        );
        on_cleanup(move || {
            handles.drain(..).for_each(WindowListenerHandle::remove);
            if let Ok(ticking) = ticking {
                ticking.clear();
            }
            self.release();
            self.send_rest();
        });
    }

    fn run(self, task: Task) {
        let key = self.key();
        match task {
            Task::Claim { want, have } => spawn_local(async move {
                self.send(match claim_photos(key, want, have).await {
                    Ok(claimed) => Event::Claimed(claimed),
                    Err(error) => Event::ClaimFailed(failure(error)),
                });
            }),
            Task::Send(submission) => {
                let mirror = self.mirror.get_value();
                spawn_local(async move {
                    let id = submission.idempotency_key;
                    match submit_answers(key, submission).await {
                        Ok(progress) => {
                            // Here, not only through the session: the page may be gone by now.
                            mirror.forget(id);
                            self.send(Event::Saved(id, progress));
                        }
                        Err(error) => self.send(Event::SaveFailed(id, failure(error))),
                    }
                });
            }
            Task::Store(record) => self.mirror.with_value(|mirror| mirror.store(&record)),
            Task::Forget(id) => self.mirror.with_value(|mirror| mirror.forget(id)),
            Task::Reopen(claim_id) => spawn_local(async move {
                // The page goes on without an answer: new answers to a finished photo are taken in any case.
                let _ = undo_photo(key, claim_id).await;
            }),
        }
    }

    fn release(self) {
        give_back(&self.key(), &self.session.try_with_untracked(Session::held).unwrap_or_default());
    }

    /// Sends what is still waiting when the page is left for another one of the app; what fails stays in the browser
    /// until the page is opened again.
    fn send_rest(self) {
        let waiting = self.session.try_with_untracked(|session| session.outbox().waiting()).unwrap_or_default();
        if waiting.is_empty() {
            return;
        }
        let (key, mirror) = (self.key(), self.mirror.get_value());
        spawn_local(async move {
            for record in waiting {
                let id = record.submission.idempotency_key;
                if submit_answers(key.clone(), record.submission).await.is_ok() {
                    mirror.forget(id);
                }
            }
        });
    }

    /// Reads the guidelines again and says what changed.
    fn read_guidelines(self) {
        let Some(key) = self.key.try_get_value() else { return };
        self.guides_read.set_value(now());
        spawn_local(async move {
            let Ok(read) = guidelines(key).await else { return };
            let Some(before) = self.guides.try_get_untracked() else { return };
            let changed = changes(&before, &read);
            if questions(&before) == questions(&read) && changed.is_empty() {
                return;
            }
            self.news.update(|news| {
                news.retain(|(name, _)| !changed.iter().any(|(new, _)| new == name));
                news.extend(changed);
            });
            self.send(Event::Questions(questions(&read)));
            self.guides.set(read);
        });
    }
}

/// What is asked, from the guidelines of the annotated attributes.
pub fn questions(guides: &[Guideline]) -> Vec<Question> {
    guides
        .iter()
        .map(|guide| Question {
            key: guide.attribute.key.clone(),
            values: guide.attribute.values.iter().filter(|v| !v.retired).map(|v| v.key.clone()).collect(),
            guideline_version: guide.current.as_ref().map(|current| current.version),
        })
        .collect()
}

/// Attributes with a new version: name, and a sentence on what changed.
fn changes(before: &[Guideline], after: &[Guideline]) -> Vec<(String, String)> {
    let version = |guide: &Guideline| guide.current.as_ref().map(|current| current.version);
    after
        .iter()
        .filter_map(|guide| {
            let current = guide.current.as_ref()?;
            let old = before.iter().find(|old| old.attribute.key == guide.attribute.key)?;
            (version(old) != Some(current.version)).then(|| {
                let name = crate::text::attribute_name(&guide.attribute, crate::text::language());
                (name, t!("version {version}: {note}", version = current.version, note = current.change_note))
            })
        })
        .collect()
}

/// What an error means for answers and claims.
pub fn failure(error: ApiError) -> Failure {
    match error {
        ApiError::Offline | ApiError::Internal => Failure::Unreachable,
        ApiError::TooMany(seconds) => Failure::Busy(seconds),
        ApiError::Unauthenticated => Failure::SignedOut,
        refused => Failure::Refused(refused.to_string()),
    }
}

/// Gives claimed photos back. A beacon: it arrives even when the page is closed.
pub fn give_back(key: &str, claims: &[i64]) {
    if claims.is_empty() {
        return;
    }
    if let Ok(body) = web_sys::UrlSearchParams::new_with_str(&release_body(key, claims)) {
        let url = <ReleasePhotos as ServerFn>::PATH;
        let _ = window().navigator().send_beacon_with_opt_url_search_params(url, Some(&body));
    }
}

/// The arguments of [`ReleasePhotos`], URL-encoded. Keys of projects need no escaping.
fn release_body(key: &str, claims: &[i64]) -> String {
    let claims: String = claims.iter().enumerate().map(|(index, id)| format!("&claim_ids[{index}]={id}")).collect();
    format!("key={key}{claims}")
}

/// Milliseconds since the page was opened; never goes back.
pub fn now() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}
