//! The organization as OpenAI's clients manage it: an install with its projects, which are tenants.
//!
//! What changes something is in `insula_tenancy`, next to what it changes. Here are the lists, and the reports over the
//! ledger. Those of the operator's see all tenants, so they name the one that they mean by hand.

pub mod access;
pub mod admin_key;
pub mod audit_log;
pub mod erasure;
pub mod health;
pub mod invite;
pub mod job;
pub mod key;
pub mod member;
pub mod project;
pub mod service_account;
pub mod spend_alert;
pub mod usage;
