//! One file per resource: wire types, what documents them, and handlers that only translate.

pub mod assistants;
mod attributes;
pub mod chat;
mod chunking;
pub mod embeddings;
pub mod files;
mod filter;
mod grounding;
pub mod health;
mod ids;
pub mod jobs;
pub mod migrations;
pub mod models;
pub mod search;
pub mod vector_store_files;
pub mod vector_stores;
mod wire;
