//! Tenancy and SQL, in through the doors that every caller takes. No HTTP, no model.

mod cancellation;
mod catalogue;
mod door;
mod erasure;
mod isolation;
mod jobs;
mod keys;
mod login;
mod seed;
mod source;
