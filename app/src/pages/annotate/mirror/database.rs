//! The browser's database: texts by name. One connection for the whole app, opened at the first use.
//!
//! Once it is open, a change is handed to the browser before the call returns, and committed at once: a tab that closes
//! right after it does not take it along. Changes that come before are done as soon as it opens, in their order.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::channel::oneshot;
use idb::{
    Database, DatabaseEvent, Error, Factory, KeyRange, ObjectStore, ObjectStoreParams, Query, Request, StoreEvent,
    Transaction, TransactionMode, request::OpenDatabaseRequest,
};
use leptos::{leptos_dom::helpers::set_timeout, task::spawn_local, wasm_bindgen::JsValue};
use web_sys::IdbTransaction;

const NAME: &str = "kenami";
const STORE: &str = "waiting";
/// A browser that has not opened it by then (some never do, and do not say so) counts as one without.
const PATIENCE: Duration = Duration::from_secs(4);

type Waiter = Box<dyn FnOnce(Option<&Database>)>;

enum Connection {
    Closed,
    /// Its request must live until it is answered.
    Opening(Vec<Waiter>, Option<OpenDatabaseRequest>),
    Open(Rc<Database>),
    Missing,
}

thread_local! {
    static CONNECTION: RefCell<Connection> = const { RefCell::new(Connection::Closed) };
}

/// Keeps a text; `done` learns whether it is kept.
pub fn put(name: String, text: String, done: impl FnOnce(bool) + 'static) {
    change(move |store| store.put(&JsValue::from(text), Some(&JsValue::from(name))).map(drop), done);
}

/// Forgets a text.
pub fn remove(name: String) {
    change(move |store| store.delete(Query::Key(JsValue::from(name))).map(drop), drop);
}

/// Hands all texts whose names begin with `prefix` to `then`; none if there is no database.
pub fn all(prefix: String, then: impl FnOnce(Option<Vec<String>>) + 'static) {
    with(move |database| {
        let begun = database.and_then(|database| read(database, &prefix).ok());
        spawn_local(async move {
            then(match begun {
                // The transaction stays until its answer is here.
                Some((answer, _transaction)) => answer.await.ok().flatten(),
                None => None,
            });
        });
    });
}

type Answer = oneshot::Receiver<Option<Vec<String>>>;

fn read(database: &Database, prefix: &str) -> Result<(Answer, (Transaction, impl Sized + use<>)), Error> {
    let transaction = database.transaction(&[STORE], TransactionMode::ReadOnly)?;
    let (from, to) = (JsValue::from(prefix), JsValue::from(format!("{prefix}\u{ffff}")));
    let range = KeyRange::bound(&from, &to, None, None)?;
    let mut request = transaction.object_store(STORE)?.get_all(Some(range.into()), None)?;
    let (settle, receiver) = settler();
    let failed = settle.clone();
    request.on_success(move |event| {
        settle(event.result().ok().map(|found| found.iter().filter_map(JsValue::as_string).collect()));
    });
    request.on_error(move |_| failed(None));
    Ok((receiver, (transaction, request)))
}

fn change(what: impl FnOnce(&ObjectStore) -> Result<(), Error> + 'static, done: impl FnOnce(bool) + 'static) {
    with(move |database| {
        let begun = database.and_then(|database| write(database, what).ok());
        spawn_local(async move {
            done(match begun {
                Some((answer, _transaction)) => answer.await.unwrap_or(false),
                None => false,
            });
        });
    });
}

fn write(
    database: &Database,
    what: impl FnOnce(&ObjectStore) -> Result<(), Error>,
) -> Result<(oneshot::Receiver<bool>, Transaction), Error> {
    let raw = IdbTransaction::from(database.transaction(&[STORE], TransactionMode::ReadWrite)?);
    let mut transaction = Transaction::from(raw.clone());
    what(&transaction.object_store(STORE)?)?;
    let (settle, receiver) = settler();
    let aborted = settle.clone();
    transaction.on_complete(move |_| settle(true));
    transaction.on_abort(move |_| aborted(false));
    // Without waiting for the request's own answer. Browsers that lack it commit a moment later by themselves.
    #[allow(deprecated, reason = "it left the standard and came back")]
    let _ = raw.commit();
    Ok((receiver, transaction))
}

/// Tells a receiver what came of it; several callbacks may hold it, the first word counts.
fn settler<T>() -> (impl Fn(T) + Clone, oneshot::Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    let sender = Rc::new(RefCell::new(Some(sender)));
    let settle = move |word| {
        if let Some(sender) = sender.take() {
            let _ = sender.send(word);
        }
    };
    (settle, receiver)
}

/// Calls `then` with the database: at once where it is open, else when it is known whether there is one.
fn with(then: impl FnOnce(Option<&Database>) + 'static) {
    enum Known {
        Open(Rc<Database>),
        Missing,
    }
    let mut begin = false;
    let mut then = Some(then);
    let known = CONNECTION.with_borrow_mut(|connection| match connection {
        Connection::Open(database) => Some(Known::Open(Rc::clone(database))),
        Connection::Missing => Some(Known::Missing),
        Connection::Opening(waiters, _) => {
            waiters.extend(then.take().map(|then| Box::new(then) as Waiter));
            None
        }
        Connection::Closed => {
            begin = true;
            let waiters = then.take().map(|then| Box::new(then) as Waiter).into_iter().collect();
            *connection = Connection::Opening(waiters, None);
            None
        }
    });
    match (known, then) {
        (Some(Known::Open(database)), Some(then)) => then(Some(&database)),
        (Some(Known::Missing), Some(then)) => then(None),
        _ => {}
    }
    if begin {
        open();
    }
}

fn open() {
    let Ok(mut request) = Factory::new().and_then(|factory| factory.open(NAME, Some(1))) else {
        return settle(None);
    };
    request.on_upgrade_needed(|event| {
        if let Ok(database) = event.database() {
            // Fails only if it is there already.
            let _ = database.create_object_store(STORE, ObjectStoreParams::new());
        }
    });
    request.on_success(|event| settle(event.database().ok()));
    request.on_error(|_| settle(None));
    CONNECTION.with_borrow_mut(|connection| {
        if let Connection::Opening(_, place) = connection {
            *place = Some(request);
        }
    });
    set_timeout(|| settle(None), PATIENCE);
}

/// The database is open, or there is none: those who wait go on. Only the first word counts.
fn settle(database: Option<Database>) {
    let (waiters, request) = CONNECTION.with_borrow_mut(|connection| match connection {
        Connection::Opening(waiters, request) => (std::mem::take(waiters), request.take()),
        _ => (Vec::new(), None),
    });
    let settled = CONNECTION.with_borrow_mut(|connection| {
        if matches!(connection, Connection::Opening(..)) {
            *connection = match database {
                Some(mut database) => {
                    // A later version of the app in another tab wants to change it: it must not wait for this tab.
                    database.on_version_change(|event| {
                        let _ = event.database().map(|database| database.close());
                        forget();
                    });
                    // The user cleared the browser's data, or the disk failed: the next use opens it again.
                    database.on_close(|_| forget());
                    Connection::Open(Rc::new(database))
                }
                None => Connection::Missing,
            };
        }
        match connection {
            Connection::Open(database) => Some(Rc::clone(database)),
            _ => None,
        }
    });
    for waiter in waiters {
        waiter(settled.as_deref());
    }
    // Not inside its own callback, which runs just now.
    spawn_local(async move { drop(request) });
}

/// Forgets the connection, but not inside one of its own callbacks.
fn forget() {
    spawn_local(async { CONNECTION.set(Connection::Closed) });
}
