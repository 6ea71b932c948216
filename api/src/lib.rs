#![doc = include_str!("../README.md")]

pub mod app;
pub mod http;
pub mod routes;
pub mod serve;
