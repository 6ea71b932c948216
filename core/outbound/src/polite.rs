//! How fast a site may be asked: one request at a time, with a pause after each.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

/// Pause after a request, if the site does not ask for a longer one.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause that a site is granted.
const LONGEST: Duration = Duration::from_secs(60);
/// How long is waited here; what takes longer is for the caller to plan.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// Sites that are remembered, and for how long. A site that is forgotten is at worst asked once too early.
const SITES: u64 = 10_000;
const REMEMBER: Duration = Duration::from_secs(600);

/// The sites that this process has asked, over all tenants.
#[derive(Clone)]
pub(crate) struct Sites(Cache<String, Arc<Mutex<Instant>>>);

impl Default for Sites {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(SITES)
                .time_to_idle(REMEMBER)
                .build(),
        )
    }
}

/// The right to ask a site once.
pub(crate) struct Turn {
    /// When the next one may ask.
    free_at: OwnedMutexGuard<Instant>,
}

impl Sites {
    /// Waits for one's turn, or tells how long it will be.
    pub(crate) async fn turn(&self, origin: &str) -> Result<Turn, Duration> {
        let site = self
            .0
            .get_with_by_ref(origin, || Arc::new(Mutex::new(Instant::now())));
        let turn = tokio::time::timeout(PATIENCE, site.lock_owned()).await;
        let free_at = turn.map_err(|_| PATIENCE)?;
        let wait = free_at.saturating_duration_since(Instant::now());
        if wait > PATIENCE {
            return Err(wait);
        }
        tokio::time::sleep(wait).await;
        Ok(Turn { free_at })
    }
}

impl Turn {
    /// Ends the turn after a request; the site asked for this pause.
    pub(crate) fn end(mut self, asked: Option<Duration>) {
        *self.free_at = Instant::now() + asked.unwrap_or_default().clamp(PAUSE, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_follow_each_other_with_their_pauses() {
        let sites = Sites::default();
        let started = Instant::now();
        let asked = Duration::from_millis(300);
        sites.turn("a").await.ok().unwrap().end(None);
        sites.turn("a").await.ok().unwrap().end(Some(asked));
        assert!(started.elapsed() >= PAUSE);
        let other = sites.turn("b").await.ok().unwrap();
        assert!(
            started.elapsed() < PAUSE + asked,
            "sites do not wait for each other"
        );
        other.end(None);
        sites
            .turn("a")
            .await
            .ok()
            .unwrap()
            .end(Some(Duration::from_secs(3600)));
        assert!(started.elapsed() >= PAUSE + asked);
        let left = sites.turn("a").await.err().unwrap();
        assert!(
            left > LONGEST / 2 && left <= LONGEST,
            "planned by the caller, and not for an hour"
        );
    }

    #[tokio::test]
    async fn nobody_waits_for_a_slow_request_for_ever() {
        let sites = Sites::default();
        let _slow = sites.turn("a").await.ok().unwrap();
        assert_eq!(sites.turn("a").await.err(), Some(PATIENCE));
    }
}
