//! Durable background work.
//!
//! A job is enqueued in the transaction that makes it necessary, leased by one worker at a time, and finished in the
//! transaction that writes its result. A lease carries a fencing token: a worker that lost its lease (it stalled, its
//! machine slept, the job was cancelled) cannot write. All times are the database's. An attempt is counted when the
//! lease is taken, so a crash counts; a job whose worker died too often is handed out once more, marked
//! [`Lease::exhausted`], to be buried.
//!
//! Leasing is fair: no tenant runs more than a cap at once, and tenants with the least running work come first.

mod claim;
mod enqueue;
mod lease;

pub use claim::Leaser;
pub use enqueue::{NewJob, Subject, cancel_keys, enqueue, enqueue_many, hasten};
pub use lease::{Lease, Progress, Reason, Retry};
