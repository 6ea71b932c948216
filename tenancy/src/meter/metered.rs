//! A call that was admitted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{Held, Inner, Standings, Tab};
use crate::limit::Metric;
use crate::usage::journal::Segment;
use crate::usage::{Details, Ended, Trace, UsageEvent};
use crate::{Money, Result};

/// How often what a long call has produced is written to the journal.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// The right to go on with a call, and its account. Dropping it settles with what was noted.
pub struct Metered {
    inner: Arc<Inner>,
    tab: Option<Tab>,
    /// Taken when it is settled.
    open: Option<Open>,
    standings: Standings,
    started: Instant,
    noted: Instant,
}

struct Open {
    event: UsageEvent,
    segments: Vec<Segment>,
    held: Held,
}

impl Metered {
    pub(super) fn new(
        inner: Arc<Inner>,
        tab: Option<Tab>,
        event: UsageEvent,
        segments: Vec<Segment>,
        held: Held,
        standings: Standings,
        started: Instant,
    ) -> Self {
        Self {
            inner,
            tab,
            open: Some(Open {
                event,
                segments,
                held,
            }),
            standings,
            started,
            noted: Instant::now(),
        }
    }

    /// How the limits stood when the call was admitted.
    pub fn standings(&self) -> Standings {
        self.standings
    }

    /// When the call began, by the database's clock.
    pub fn started_at(&self) -> DateTime<Utc> {
        let begun = self.open.as_ref().map(|open| open.event.started_at);
        begun.unwrap_or_else(|| self.inner.server.now())
    }

    /// Since the call was let in.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes a stage that began at a moment of the call and has ended now.
    pub fn passed(&mut self, stage: &'static str, from: Duration) {
        let now = self.started.elapsed();
        if let Some(open) = &mut self.open {
            open.event.details.trace.stage(stage, from, now);
        }
    }

    /// Its way so far, to be added to; nothing once it is settled.
    pub fn trace(&mut self) -> Option<&mut Trace> {
        Some(&mut self.open.as_mut()?.event.details.trace)
    }

    /// Waits until the event is as safe as the operator wants it before anything of the answer leaves.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn durable(&self) -> Result<()> {
        if !self.inner.sync || self.tab.is_some() {
            return Ok(());
        }
        self.inner.sync_journal().await
    }

    /// Notes what is known by now; `change` gets what was noted before. Now and then this is written to the journal, so
    /// that a server that dies is survived by what a long call has produced.
    pub fn note(&mut self, change: impl FnOnce(&mut Details)) {
        let Some(open) = &mut self.open else { return };
        change(&mut open.event.details);
        if self.tab.is_some() || self.noted.elapsed() < NOTED_EVERY {
            return;
        }
        self.noted = Instant::now();
        open.event.latency_us = micros(self.started.elapsed());
        // A note that cannot be written leaves the one before.
        if let Ok(segment) = self.inner.journal.write(&open.event) {
            open.segments.push(segment);
        }
    }

    /// Settles the call.
    pub fn end(mut self, change: impl FnOnce(&mut Details)) {
        if let Some(open) = &mut self.open {
            change(&mut open.event.details);
        }
        self.settle();
    }

    fn settle(&mut self) {
        let Some(Open {
            mut event,
            mut segments,
            mut held,
        }) = self.open.take()
        else {
            return;
        };
        event.latency_us = micros(self.started.elapsed());
        event.details.cost = event.details.cost.max(Money::ZERO);
        match &self.tab {
            Some(tab) => event.details.cost = tab.factor().of(event.details.cost),
            None => match self.inner.journal.write(&event) {
                Ok(segment) => segments.push(segment),
                // It is in memory still, and on its way to the database.
                Err(error) => tracing::error!(%error, "the journal of usage cannot be written"),
            },
        }
        // Taken out of what would give them back whole.
        let windows = std::mem::take(&mut held.windows);
        let purses = std::mem::take(&mut held.purses);
        drop(held);
        let tokens = i64::try_from(event.details.tokens.total()).unwrap_or(i64::MAX);
        for (window, taken) in &windows {
            if window.metric() == Metric::Tokens {
                window.correct(taken.saturating_sub(tokens));
            }
        }
        for (purse, reserved) in &purses {
            purse.settle(*reserved, event.details.cost);
        }
        let purses = purses.into_iter().map(|(purse, _)| purse).collect();
        let ended = Ended {
            event,
            segments,
            purses,
        };
        match &self.tab {
            Some(tab) => tab.add(ended),
            None => self.inner.recorder.record(ended),
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.tab.is_some() {
            // Gives back what it held: the call will be made again.
            self.open = None;
        }
        self.settle();
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
