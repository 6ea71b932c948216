//! `insula dev` and `insula demo`: a whole installation on one machine, from one command.

mod address;
mod credentials;
mod database;
mod demo;
mod instance;
pub mod postgres;

pub use address::find_server;
pub use database::find_database;
pub use instance::{DevOptions, run};
