//! Ties the [`Session`] to the browser: time, requests, storage, what the window tells.

use std::time::Duration;

use kenami_domain::view::guidelines::Guideline;
use leptos::{ev, prelude::*, task::spawn_local};

use super::session::{Effect as Task, Event, Pending, Session};
use crate::{
    api::grid::{next_screen, submit_screen},
    pages::annotate::{
        driver::{failure, give_back, now, questions},
        mirror::{Keeping, Mirror},
    },
};

/// A session in a browser window. Copies are handles to the same one.
#[derive(Clone, Copy)]
pub struct Driver {
    /// The state.
    pub session: RwSignal<Session>,
    /// How well waiting answers are kept.
    pub keeping: RwSignal<Keeping>,
    key: StoredValue<String>,
    mirror: StoredValue<Mirror<Pending>>,
}

impl Driver {
    /// A visit of account `user_id` to project `key`.
    pub fn new(key: String, user_id: i64, guides: &[Guideline]) -> Self {
        let mirror = Mirror::new("screens", user_id, &key);
        Self {
            session: RwSignal::new(Session::new(questions(guides), uuid::Uuid::new_v4)),
            keeping: mirror.keeping(),
            mirror: StoredValue::new(mirror),
            key: StoredValue::new(key),
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

    /// Begins: loads what waits, listens to the window, asks for a screen. Browser only; call it in an effect of the page.
    pub fn start(self, want: usize, columns: usize) {
        let load = move |left| {
            self.send(Event::Restored(left));
            // Only now: it asks for a screen, and photos that wait with their answers must not come again.
            self.send(Event::Room { want, columns });
        };
        self.mirror.with_value(|mirror| mirror.load(load));
        let mut handles = vec![
            window_event_listener(ev::online, move |_| self.send(Event::Online)),
            window_event_listener(ev::pagehide, move |_| self.release()),
            window_event_listener(ev::beforeunload, move |event| {
                let unsaved = self.session.try_with_untracked(|session| session.outbox().unsaved() > 0) == Some(true);
                if unsaved && self.keeping.try_get_untracked().is_some_and(|keeping| !keeping.is_safe()) {
                    event.prevent_default();
                }
            }),
        ];
        let ticking = set_interval_with_handle(move || self.send(Event::Tick), Duration::from_secs(1));
        on_cleanup(move || {
            handles.drain(..).for_each(WindowListenerHandle::remove);
            if let Ok(ticking) = ticking {
                ticking.clear();
            }
            self.release();
        });
    }

    fn run(self, task: Task) {
        let key = self.key();
        match task {
            Task::Fetch { number, attribute, value, want, skip } => spawn_local(async move {
                self.send(match next_screen(key, attribute, value, want, skip).await {
                    Ok(screen) => Event::Screen(number, screen),
                    Err(error) => Event::ScreenFailed(number, failure(error)),
                });
            }),
            Task::Send(pending) => {
                let mirror = self.mirror.get_value();
                spawn_local(async move {
                    match submit_screen(key, pending.submission).await {
                        Ok(_) => {
                            // Here, not only through the session: the page may be gone by now.
                            mirror.forget(pending.key);
                            self.send(Event::Saved(pending.key));
                        }
                        Err(error) => self.send(Event::SaveFailed(pending.key, failure(error))),
                    }
                });
            }
            Task::Store(pending) => self.mirror.with_value(|mirror| mirror.store(&pending)),
            Task::Forget(id) => self.mirror.with_value(|mirror| mirror.forget(id)),
        }
    }

    /// Gives the photos on the screen and behind it back.
    fn release(self) {
        give_back(&self.key(), &self.session.try_with_untracked(Session::open_claims).unwrap_or_default());
    }
}
