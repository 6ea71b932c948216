//! One file per resource: wire types, what documents them, and handlers that only translate.

pub mod assistants;
mod attributes;
pub mod chat;
mod chunking;
pub mod chunks;
pub mod embeddings;
pub mod file_batches;
pub mod files;
mod filter;
mod grounding;
pub mod health;
mod ids;
pub mod jobs;
pub mod migrations;
pub mod model_routes;
pub mod models;
pub mod operator;
pub mod provider_keys;
pub mod scoped_tokens;
pub mod search;
pub mod sources;
pub mod storage_usage;
pub mod uploads;
pub mod vector_store_files;
pub mod vector_stores;
pub mod webhooks;
mod wire;
