#![doc = include_str!("../README.md")]

mod child;
pub mod graph;
mod limits;
mod pool;
mod protocol;
mod worker;

pub use limits::ModelLimits;
pub use pool::{ModelPool, PoolOptions};
pub use worker::run_worker;
