//! What Insula does, without HTTP.
pub mod chat;
mod error;
pub mod ingest;
pub mod model;
pub mod text;

pub use error::{Error, Result};
