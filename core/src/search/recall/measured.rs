//! What was measured of a store, and what follows from it.

use chrono::{DateTime, Utc};

use super::RecallOptions;

/// Comparisons after which older ones count half: what was right of a store last year says little.
const HALF_LIFE: i64 = 500;
/// Most candidates of the first stage. Beyond, ranking them costs more than looking at every vector.
const MOST_CANDIDATES: i64 = 4_000;

/// What was measured of a store since its candidates were last changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, sqlx::FromRow)]
pub(in crate::search) struct Measured {
    /// Candidates of the first stage, where they are not the model's own number.
    pub(in crate::search) candidates: Option<i32>,
    /// Neighbours that were found, older ones counting less.
    pub(super) found: f64,
    /// Neighbours that there were to find, likewise.
    pub(super) wanted: f64,
    /// Searches that were compared.
    pub(in crate::search) samples: i64,
    /// When the last one was.
    pub(in crate::search) measured_at: DateTime<Utc>,
}

impl Measured {
    /// The share of the ten nearest that was found, once something was measured.
    pub(in crate::search) fn recall(&self) -> Option<f64> {
        (self.wanted > 0.0).then(|| self.found / self.wanted)
    }

    /// With one comparison more.
    pub(super) fn and(self, (found, wanted): (i64, i64)) -> Self {
        let older = match self.samples > 0 && self.samples % HALF_LIFE == 0 {
            true => 0.5,
            false => 1.0,
        };
        Self {
            found: self.found * older + found as f64,
            wanted: self.wanted * older + wanted as f64,
            samples: self.samples + 1,
            ..self
        }
    }

    /// Whether enough was measured to say that too little is found.
    pub(super) fn is_too_low(&self, options: RecallOptions) -> bool {
        let at_most = self
            .candidates
            .is_some_and(|now| i64::from(now) >= MOST_CANDIDATES);
        let is_below = self.recall().is_some_and(|recall| recall < options.target);
        self.samples >= options.judged_after && is_below && !at_most
    }

    /// With twice the candidates of `now`, and nothing measured yet.
    pub(super) fn with_more_candidates(self, now: i64) -> Self {
        let candidates = (now * 2).clamp(1, MOST_CANDIDATES);
        Self {
            candidates: i32::try_from(candidates).ok(),
            found: 0.0,
            wanted: 0.0,
            samples: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: RecallOptions = RecallOptions {
        every: 1,
        target: 0.98,
        judged_after: 20,
    };

    fn after(samples: usize, each: (i64, i64)) -> Measured {
        (0..samples).fold(Measured::default(), |measured, _| measured.and(each))
    }

    #[test]
    fn a_store_is_judged_by_enough_searches() {
        assert_eq!(Measured::default().recall(), None);
        assert!(!after(19, (5, 10)).is_too_low(OPTIONS));
        assert!(after(20, (5, 10)).is_too_low(OPTIONS));
        assert!(!after(2_000, (10, 10)).is_too_low(OPTIONS));
    }

    #[test]
    fn older_searches_count_less_and_less() {
        let bad_then_good = (0..2_000).fold(after(500, (0, 10)), |measured, _| measured.and((10, 10)));
        let recall = bad_then_good.recall().unwrap();
        assert!(recall > 0.96 && recall < 1.0, "{recall}");
        assert!(bad_then_good.wanted < 12_000.0);
    }

    #[test]
    fn candidates_grow_to_a_bound_and_are_measured_anew() {
        let mut measured = after(20, (5, 10));
        let mut now = 400;
        let mut steps = Vec::new();
        while measured.is_too_low(OPTIONS) {
            measured = measured.with_more_candidates(now);
            assert_eq!((measured.samples, measured.recall()), (0, None));
            now = i64::from(measured.candidates.unwrap());
            steps.push(now);
            measured = (0..20).fold(measured, |measured, _| measured.and((5, 10)));
        }
        assert_eq!(steps, [800, 1_600, 3_200, 4_000]);
    }
}
