#![doc = include_str!("../README.md")]

mod address;
mod client;
mod fetch;
mod guard;
mod links;
mod polite;
mod robots;
mod sitemap;
mod spelling;
mod webhook;

use std::sync::Arc;

use client::Client;
use guard::{Guard, Lookup, System};
use polite::Sites;

pub use address::is_public;
pub use guard::{Allowed, Refused};

/// Calls to addresses that tenants name. Implements what core needs of the web: a `Fetcher` for sources and a `Caller`
/// for webhooks.
pub struct Outbound {
    client: Arc<Client>,
    sites: Sites,
}

impl Outbound {
    /// With these networks open besides the public internet.
    pub fn new(allowed: Allowed) -> Self {
        Self::with_lookup(allowed, Arc::new(System))
    }

    fn with_lookup(allowed: Allowed, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            client: Arc::new(Client::new(Guard::new(allowed), lookup)),
            sites: Sites::default(),
        }
    }
}
