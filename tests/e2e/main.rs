//! The server from outside: a story and the refusals of every resource, walkers over every operation, and faults.

mod assistants;
mod cancellation;
mod chat;
mod chat_stream;
mod crash;
mod embeddings;
mod errors;
mod faults;
mod files;
mod health;
mod ingest_command;
mod ingestion;
mod jobs;
mod library;
mod migrations;
mod models;
mod openapi;
mod pagination;
mod provider;
mod reuse;
mod search;
mod vector_store_files;
mod vector_stores;
mod walk;
