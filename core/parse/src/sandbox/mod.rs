//! Parsing in a child process that can harm nobody.
//!
//! The server's side is [`ParserPool`]: it starts children, streams documents to them, and says why a document was the
//! end of one. The child's side is [`run_worker`]: it confines itself, then reads documents until its parent is gone.

mod child;
mod death;
mod limits;
mod pool;
mod protocol;
mod worker;

pub use insula_confine::{Attempt, FileRules};
pub use limits::Limits;
pub use pool::{ParserPool, PoolOptions, Probe};
pub use worker::run_worker;
