//! Passwords, hashed with argon2id, and the brake on guessing them.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString, rand_core::OsRng},
};
use tokio::sync::Semaphore;

use crate::{
    db::Db,
    error::{Error, Result},
};

/// Fewest characters of a password.
pub(crate) const MIN_CHARS: usize = 10;
/// Most characters of a password.
pub(crate) const MAX_CHARS: usize = 256;
/// Failures in a row before the brake takes hold.
const FREE_FAILURES: i32 = 5;
/// Longest pause between two attempts, in seconds; failures are forgotten after as long again.
const LONGEST_PAUSE: f64 = 900.0;

/// Each hash takes 19 MiB and a core for some tens of milliseconds: no more at once than there are cores.
static HASHING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)));

/// A hash of no password at all: unknown names take as long as known ones.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody signs in with this").unwrap_or_default());

fn hash_now(password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::generate(&mut OsRng);
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string())
}

fn verify_now(password: &str, hash: Option<&str>) -> bool {
    let (stored, known) = match hash {
        Some(hash) => (hash, true),
        None => (NOBODY.as_str(), false),
    };
    let matches = PasswordHash::new(stored)
        .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok());
    matches && known
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _permit = HASHING.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// Refuses passwords that are too short or too long.
pub(crate) fn check(password: &str) -> Result<()> {
    let chars = password.chars().count();
    if (MIN_CHARS..=MAX_CHARS).contains(&chars) {
        Ok(())
    } else {
        Err(Error::invalid("password", format!("must have {MIN_CHARS} to {MAX_CHARS} characters")))
    }
}

/// The argon2id hash of `password` in PHC form.
pub(crate) async fn hash(password: &str) -> Result<String> {
    let password = password.to_owned();
    off_the_runtime(move || hash_now(&password)).await?.map_err(|e| Error::internal(e.to_string()))
}

/// Whether `password` fits `hash`; without a hash it fits nothing, after the same time.
pub(crate) async fn verify(password: &str, hash: Option<String>) -> Result<bool> {
    // Nothing longer was ever accepted, and hashing megabytes is work for nothing.
    let password: String = password.chars().take(MAX_CHARS + 1).collect();
    off_the_runtime(move || verify_now(&password, hash.as_deref())).await
}

/// Counts an attempt against `name` before it is made, so that attempts at the same moment cannot slip by.
///
/// # Errors
/// [`Error::TooMany`] with the seconds to wait. The pause doubles with each failure after the first five.
pub(crate) async fn throttle(db: &Db, name: &str) -> Result<()> {
    let counted = sqlx::query_scalar!(
        "INSERT INTO sign_in_throttle AS t (name, failures, last_failure) VALUES (lower($1), 1, now())
         ON CONFLICT (name) DO UPDATE SET
             failures = CASE WHEN t.last_failure < now() - make_interval(secs => 2 * $3::float8) THEN 1 ELSE t.failures + 1 END,
             last_failure = now()
         WHERE t.failures < $2
            OR t.last_failure + make_interval(secs => least($3::float8, power(2, least(t.failures - $2, 20)))) <= now()
         RETURNING failures",
        name,
        FREE_FAILURES,
        LONGEST_PAUSE,
    )
    .fetch_optional(db)
    .await?;
    if counted.is_some() {
        return Ok(());
    }
    let wait = sqlx::query_scalar!(
        r#"SELECT greatest(1, ceil(extract(epoch FROM last_failure - now())
                  + least($3::float8, power(2, least(failures - $2, 20)))))::bigint AS "wait!"
           FROM sign_in_throttle WHERE name = lower($1)"#,
        name,
        FREE_FAILURES,
        LONGEST_PAUSE,
    )
    .fetch_optional(db)
    .await?;
    Err(Error::TooMany(wait.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(1)))
}

/// Forgets the failures of `name` after a success, and everybody's that are long past.
pub(crate) async fn forget_failures(db: &Db, name: &str) -> Result<()> {
    sqlx::query!(
        "DELETE FROM sign_in_throttle
         WHERE name = lower($1) OR last_failure < now() - make_interval(secs => 2 * $2::float8)",
        name,
        LONGEST_PAUSE,
    )
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_hash_alone() {
        let stored = hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(verify("correct horse", Some(stored.clone())).await.unwrap());
        assert!(!verify("correct horsf", Some(stored.clone())).await.unwrap());
        assert!(!verify("correct horse", Some("not a hash".to_owned())).await.unwrap());
        assert!(!verify("nobody signs in with this", None).await.unwrap());
        assert_ne!(stored, hash("correct horse").await.unwrap(), "salted");
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(check(&"é".repeat(10)).is_ok());
        assert!(check(&"é".repeat(9)).is_err());
        assert!(check(&"x".repeat(256)).is_ok());
        assert!(check(&"x".repeat(257)).is_err());
    }
}
