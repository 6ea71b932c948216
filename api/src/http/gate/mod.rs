//! Before authentication: how many requests an address may send, and how often its keys may be wrong.

mod address;
mod attempts;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request};
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota};
use insula_core::Error;
use insula_tenancy::AccessError;
use insula_tenancy::meter::{LimitKind, Standings};
use ipnet::IpNet;

use self::attempts::Attempts;
use super::ApiError;
use crate::config::ServeArgs;

/// Addresses that send nothing any more are forgotten after so many requests of others, which bounds the memory.
const SWEEP_EVERY: u32 = 65_536;

/// What every request passes first.
pub(super) struct Gate {
    trusted: Vec<IpNet>,
    rate: Option<DefaultKeyedRateLimiter<IpAddr>>,
    requests: AtomicU32,
    attempts: Option<Arc<Attempts>>,
}

/// Who sent a request, for the check of its key: among the request's extensions.
#[derive(Clone)]
pub(super) struct Visitor {
    from: IpAddr,
    attempts: Arc<Attempts>,
}

/// Where a request came from, as far as trusted proxies tell: among the request's extensions, for the audit log.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddress(pub(super) IpAddr);

impl Gate {
    pub(super) fn new(args: &ServeArgs) -> Self {
        let rate = NonZeroU32::new(args.ip_requests_per_second).map(|per_second| {
            let burst = NonZeroU32::new(args.ip_burst).unwrap_or(per_second);
            DefaultKeyedRateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst))
        });
        Self {
            trusted: args.trusted_proxies.clone(),
            rate,
            requests: AtomicU32::new(0),
            attempts: (args.failed_attempts > 0).then(|| Arc::new(Attempts::new(args.failed_attempts))),
        }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// [`Error::LimitReached`] when its address sends too many.
    pub(super) fn admit(&self, request: &mut Request) -> Result<(), ApiError> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let Some(peer) = peer.map(|peer| peer.0.ip()) else {
            return Ok(());
        };
        let client = address::client(peer, request.headers(), &self.trusted);
        request.extensions_mut().insert(ClientAddress(client));
        let from = address::household(client);
        if let Some(retry_after) = self.wait(from) {
            return Err(too_many("Too many requests from your address.", retry_after).into());
        }
        if let Some(attempts) = &self.attempts {
            request.extensions_mut().insert(Visitor {
                from,
                attempts: Arc::clone(attempts),
            });
        }
        Ok(())
    }

    /// How long the address has to wait until it may send its next request.
    fn wait(&self, from: IpAddr) -> Option<Duration> {
        let rate = self.rate.as_ref()?;
        if self.requests.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
        let refused = rate.check_key(&from).err()?;
        Some(refused.wait_time_from(rate.clock().now()))
    }
}

impl Visitor {
    /// Checks a presented key, unless its bearer has been wrong too often.
    ///
    /// # Errors
    /// [`Error::LimitReached`], and whatever `check` fails with.
    pub(super) async fn attempt<T, E: Into<Error>>(
        &self,
        presented: &str,
        check: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        let admitted = self.attempts.admit(self.from, presented, Instant::now());
        let admitted = admitted.map_err(|retry_after| {
            too_many(
                "Too many failed attempts with this key from your address.",
                retry_after,
            )
        })?;
        let checked = check.await.map_err(Into::into);
        match &checked {
            Ok(_) => self.attempts.succeeded(self.from, presented, admitted),
            Err(Error::Access(AccessError::InvalidKey)) => {
                self.attempts.failed(self.from, presented, Instant::now());
            }
            Err(_) => {}
        }
        checked
    }
}

fn too_many(message: &str, retry_after: Duration) -> Error {
    Error::LimitReached {
        is_beyond: false,
        kind: LimitKind::Requests,
        message: message.to_owned(),
        retry_after,
        // Limits of keys and tenants are not known before the key is.
        standings: Standings::default(),
    }
}
