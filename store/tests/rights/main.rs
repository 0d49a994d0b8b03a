//! Walks over all operations and all roles: refused is exactly what the table of rights refuses.

mod calls;
mod elsewhere;
mod ground;
#[path = "../world/mod.rs"]
mod world;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use calls::{Call, all};
use ground::{Ground, Who};
use kenami_store::{
    error::Error,
    rights::{Needs, Operation},
};
use sqlx::PgPool;

/// Modules whose public functions are no operations: the connection, and the rights themselves.
const NO_OPERATIONS: [&str; 2] = ["db", "rights"];

/// Whether this is how `who` must be refused: who may not know of the project hears that there is none.
fn is_proper_refusal(who: Who, needs: Needs, error: &Error) -> bool {
    match (who, needs) {
        (Who::Anonymous | Who::Disabled, _) => matches!(error, Error::Unauthenticated),
        (Who::Stranger, Needs::Project(_)) => matches!(error, Error::NotFound(_)),
        _ => matches!(error, Error::Forbidden),
    }
}

/// Whether a call that is allowed failed for want of rights, or in the database.
fn is_refusal_or_failure(needs: Needs, error: &Error) -> bool {
    match error {
        Error::Unauthenticated | Error::Forbidden | Error::NotFound("project") => true,
        // These are there for who may know of the project.
        Error::NotFound("job" | "link" | "run" | "dataset") => matches!(needs, Needs::Project(_)),
        Error::Database(_) | Error::Internal(_) => true,
        _ => false,
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn refused_is_what_the_table_refuses_and_it_changes_nothing(db: PgPool) {
    let ground = Ground::new(db).await;
    let mut before = ground.digest().await;
    let (mut refused, mut wrong) = (0, Vec::new());
    for call in all() {
        for who in Who::ALL.into_iter().filter(|who| !who.may(call.operation.needs())) {
            match (call.run)(ground.actor(who), &ground).await {
                Err(error) if is_proper_refusal(who, call.operation.needs(), &error) => refused += 1,
                other => wrong.push(format!("{} by {who:?}: {other:?}", call.name)),
            }
            let after = ground.digest().await;
            if after != before {
                wrong.push(format!("{} by {who:?} changed something", call.name));
                before = after;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(refused > 200, "{refused}");
}

#[sqlx::test(migrations = "../migrations")]
async fn allowed_is_what_the_table_allows(db: PgPool) {
    let ground = Ground::new(db).await;
    let (mut done, mut wrong) = (BTreeSet::new(), Vec::new());
    // By role, so that what an administrator takes away is missed by nobody who comes before.
    for who in Who::ALL {
        for Call { name, operation, run } in all() {
            if !who.may(operation.needs()) {
                continue;
            }
            match run(ground.actor(who), &ground).await {
                Ok(()) => drop(done.insert(name)),
                Err(error) if is_refusal_or_failure(operation.needs(), &error) => {
                    wrong.push(format!("{name} by {who:?}: {error:?}"))
                }
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Each call is a real one: it has succeeded for somebody.
    let idle: Vec<_> = all().into_iter().map(|call| call.name).filter(|name| !done.contains(name)).collect();
    assert!(idle.is_empty(), "never succeeded: {idle:?}");
}

#[test]
fn every_operation_is_walked() {
    let walked: BTreeSet<&str> = all().iter().map(|call| call.operation.name()).collect();
    let missing: Vec<_> = Operation::ALL.iter().filter(|operation| !walked.contains(operation.name())).collect();
    assert!(missing.is_empty(), "no call of {missing:?}");
}

#[test]
fn every_public_function_is_walked() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let public = public_functions(&source);
    assert!(public.len() > 50, "{public:?}");
    let walked: BTreeSet<String> = all().into_iter().map(|call| call.name).collect();
    let missing: Vec<_> = public.difference(&walked).collect();
    assert!(missing.is_empty(), "add these to calls.rs: {missing:?}");
    let gone: Vec<_> = walked.difference(&public).collect();
    assert!(gone.is_empty(), "the store has none of {gone:?}");
}

/// `module::function` of every public asynchronous function in the source.
fn public_functions(source: &Path) -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for file in rust_files(source) {
        let relative = file.strip_prefix(source).unwrap();
        let module = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if NO_OPERATIONS.contains(&module.as_str()) {
            continue;
        }
        for line in fs::read_to_string(&file).unwrap().lines() {
            if let Some(rest) = line.trim_start().strip_prefix("pub async fn ") {
                let name = rest.split(['(', '<']).next().unwrap();
                functions.insert(format!("{module}::{name}"));
            }
        }
    }
    functions
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
