#![doc = include_str!("../README.md")]

pub mod assistant;
pub mod batch;
pub mod blob;
mod budget_alert;
pub mod cache;
pub mod chat;
pub mod chunk;
mod error;
pub mod file;
pub mod guard;
mod housekeeping;
pub mod idempotency;
pub mod ingest;
pub mod job;
pub mod judge;
pub mod metering;
pub mod migration;
pub mod model;
pub mod page;
mod pg;
pub mod quota;
pub mod request_log;
pub mod route;
pub mod search;
mod services;
pub mod source;
mod sql;
pub mod text;
pub mod upload;
pub mod usage;
pub mod vector_store;
pub mod webhook;
pub mod worker;

pub use error::{Error, Result};
pub use services::{Models, RegisteredEmbedder, Services};
