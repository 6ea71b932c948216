//! Calls that are recorded together with the result of the work that they are made for.
//!
//! Work that is repeated until its result is written would be charged for every attempt, if its calls were recorded as they
//! end. So they are put on a [`Tab`], the events are stored in the transaction that stores the result, and are recorded after
//! it: by who stored them, or by whoever finds them there. Recording is idempotent, so that both may. A call whose result was
//! never written was never charged.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Amounts, Inner, Meter};
use crate::usage::{self, Ended, UsageEvent};
use crate::{Error, Money, PriceFactor, Result};

/// Where the calls of one piece of work are put. Cheap to clone.
#[derive(Clone)]
pub struct Tab(Arc<Shared>);

struct Shared {
    inner: Arc<Inner>,
    factor: PriceFactor,
    ended: Mutex<Vec<Ended>>,
}

impl Meter {
    /// A meter whose calls go to a tab, at this part of their price. Limits and budgets hold for them as for any others.
    pub fn tab(&self, factor: PriceFactor) -> (Self, Tab) {
        let tab = Tab(Arc::new(Shared {
            inner: Arc::clone(&self.inner),
            factor,
            ended: Mutex::default(),
        }));
        let meter = Self {
            inner: Arc::clone(&self.inner),
            tab: Some(tab.clone()),
        };
        (meter, tab)
    }

    /// Records calls as [`Settled::to_json`] wrote them, where they are not recorded yet.
    ///
    /// # Errors
    /// When the database is away, or these are no calls.
    pub async fn record_stored(&self, stored: &[String]) -> Result<()> {
        let mut ended = Vec::new();
        for json in stored {
            let events: Vec<UsageEvent> = serde_json::from_str(json)
                .map_err(|error| Error::Invalid(format!("these are no calls: {error}")))?;
            ended.extend(events.into_iter().map(|event| Ended {
                event,
                segments: Vec::new(),
                purses: Vec::new(),
            }));
        }
        write(&self.inner, &ended).await
    }
}

impl Tab {
    /// Takes what has ended by now.
    pub fn take(&self) -> Settled {
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        Settled {
            inner: Arc::clone(&self.0.inner),
            ended: std::mem::take(&mut ended),
        }
    }

    pub(super) fn add(&self, ended: Ended) {
        let mut all = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(ended);
    }

    pub(super) fn factor(&self) -> PriceFactor {
        self.0.factor
    }

    pub(super) fn price(&self, amounts: Amounts) -> Amounts {
        Amounts {
            cost: self.0.factor.of(amounts.cost),
            least_cost: self.0.factor.of(amounts.least_cost),
            ..amounts
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        forget(ended);
    }
}

/// Calls that have ended and are not recorded. Dropped, they are forgotten: what they were made for is made again.
pub struct Settled {
    inner: Arc<Inner>,
    ended: Vec<Ended>,
}

impl Settled {
    /// Whether there was no call.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    /// The calls, to be stored with their result.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn to_json(&self) -> Result<String> {
        let events: Vec<&UsageEvent> = self.ended.iter().map(|ended| &ended.event).collect();
        serde_json::to_string(&events).map_err(|error| Error::Invalid(error.to_string()))
    }

    /// Adds the calls of other work.
    pub fn append(&mut self, mut other: Self) {
        self.ended.append(&mut other.ended);
    }

    /// Records the calls, all of them or none.
    ///
    /// # Errors
    /// When the database is away. What was stored can be recorded later, with [`Meter::record_stored`].
    pub async fn record(mut self) -> Result<()> {
        write(&self.inner, &self.ended).await?;
        self.ended.clear();
        Ok(())
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        forget(&mut self.ended);
    }
}

async fn write(inner: &Inner, ended: &[Ended]) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let alerts = usage::write(&inner.db, inner.server.id(), ended).await?;
    usage::tell(&inner.db, alerts).await;
    Ok(())
}

/// Lets budgets have back what was spent on calls that are not recorded.
fn forget(ended: &mut Vec<Ended>) {
    for Ended { event, purses, .. } in ended.drain(..) {
        if event.details.cost > Money::ZERO {
            for purse in &purses {
                purse.forget(event.details.cost);
            }
        }
    }
}
