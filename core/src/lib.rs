#![doc = include_str!("../README.md")]

pub mod assistant;
pub mod blob;
pub mod chat;
mod error;
pub mod file;
pub mod idempotency;
pub mod ingest;
pub mod job;
pub mod migration;
pub mod model;
pub mod page;
mod pg;
pub mod search;
mod services;
mod sql;
pub mod text;
pub mod vector_store;
pub mod worker;

pub use error::{Error, Result};
pub use services::{ChatRoute, Models, RegisteredEmbedder, Services};
