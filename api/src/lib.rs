#![doc = include_str!("../README.md")]

pub mod app;
pub mod assembly;
pub mod cli;
pub mod config;
mod dashboard;
pub mod dev;
mod docs;
pub mod http;
pub mod logging;
pub mod oidc;
mod private_file;
pub mod route_file;
pub mod router;
pub mod routes;
pub mod serve;
pub mod signals;
pub mod tls;
