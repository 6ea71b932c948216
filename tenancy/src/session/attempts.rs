//! Attempts to sign in: whoever goes on failing waits, longer each time. Counted in the database, so that a guesser gains
//! nothing by asking several servers, and before the password is looked at, so that nothing is gained by asking at once.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{Db, Error, Result};

/// Attempts that are free for one email address from one network address.
const FREE_HERE: i32 = 5;
/// And from all network addresses together: a stranger can slow down whom he knows the address of, but not soon.
const FREE_IN_ALL: i32 = 50;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After so long without an attempt all is forgotten.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// What is counted.
pub(super) struct Subjects([Vec<u8>; 2]);

impl Subjects {
    pub(super) fn new(email: &str, from: Option<IpAddr>) -> Self {
        let from = from.map(|address| address.to_string()).unwrap_or_default();
        let hash = |what: &[&str]| {
            let mut digest = Sha256::new();
            for part in what {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part.as_bytes());
            }
            digest.finalize().to_vec()
        };
        Self([hash(&[email, &from]), hash(&[email])])
    }
}

/// Takes an attempt.
///
/// # Errors
/// [`Error::TooManyAttempts`] with the time to wait; when the database is away.
pub(super) async fn take(db: &Db, subjects: &Subjects) -> Result<()> {
    let mut tx = db.system().await?;
    // Always in this order, so that two attempts never wait for each other in a circle.
    for (subject, free) in subjects.0.iter().zip([FREE_HERE, FREE_IN_ALL]) {
        // One statement, so that attempts at once are counted one by one. The wait doubles with every attempt that is not free.
        let taken: Option<i32> = sqlx::query_scalar(
            "insert into sign_in_attempts as a (subject, attempts, last_at) values ($1, 1, now())
             on conflict (subject) do update
             set attempts = case when a.last_at < now() - make_interval(secs => $2) then 1 else a.attempts + 1 end,
                 last_at = now()
             where a.last_at < now() - make_interval(secs => $2) or a.attempts < $3
                or a.last_at + make_interval(secs => least(2 ^ least(a.attempts - $3, 30), $4)) <= now()
             returning attempts",
        )
        .bind(subject)
        .bind(FORGOTTEN_AFTER.as_secs_f64())
        .bind(free)
        .bind(LONGEST.as_secs_f64())
        .fetch_optional(&mut *tx)
        .await?;
        if taken.is_none() {
            let wait: f64 = sqlx::query_scalar(
                "select greatest(extract(epoch from last_at - now())::float8 + least(2 ^ least(attempts - $2, 30), $3), 0)
                 from sign_in_attempts where subject = $1",
            )
            .bind(subject)
            .bind(free)
            .bind(LONGEST.as_secs_f64())
            .fetch_one(&mut *tx)
            .await?;
            return Err(Error::TooManyAttempts(Duration::from_secs_f64(wait.max(1.0))));
        }
    }
    tx.commit().await
}

/// Forgets the attempts of whoever has signed in, from where it did.
///
/// # Errors
/// When the database is away.
pub(super) async fn forgive(db: &Db, subjects: &Subjects) -> Result<()> {
    let [here, _] = &subjects.0;
    let mut tx = db.system().await?;
    sqlx::query(
        "delete from sign_in_attempts where subject = $1 or last_at < now() - make_interval(secs => $2)",
    )
    .bind(here)
    .bind(FORGOTTEN_AFTER.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
