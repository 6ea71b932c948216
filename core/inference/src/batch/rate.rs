//! How fast a model is, measured as it works.

use std::time::Duration;

/// Share of what was measured before that a new batch leaves.
const MEMORY: f64 = 15.0 / 16.0;

/// Tokens and the seconds that they took, both fading. Their quotient weighs a batch by its size, so that single
/// queries, which fill no batch, do not make the model look slow.
#[derive(Debug, Default)]
pub(super) struct Rate {
    tokens: f64,
    seconds: f64,
}

impl Rate {
    /// Adds a batch.
    pub(super) fn note(&mut self, tokens: usize, took: Duration) {
        self.tokens = self.tokens * MEMORY + tokens as f64;
        self.seconds = self.seconds * MEMORY + took.as_secs_f64();
    }

    /// Tokens per second of one worker.
    pub(super) fn of_one(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.tokens / self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_count_by_their_size_and_fade() {
        let mut rate = Rate::default();
        assert_eq!(rate.of_one(), None);
        rate.note(1000, Duration::from_secs(1));
        assert_eq!(rate.of_one(), Some(1000.0));
        // A short query at a tenth of the speed says little about bulk work.
        rate.note(5, Duration::from_millis(50));
        assert!(rate.of_one().is_some_and(|rate| rate > 900.0));
        for _ in 0..100 {
            rate.note(500, Duration::from_secs(1));
        }
        assert!(rate.of_one().is_some_and(|rate| (rate - 500.0).abs() < 5.0));
    }
}
