//! How long calls took: most of them, and the slow ones.

/// The first bucket's end, in milliseconds.
const FIRST: f64 = 1.0;
/// Each bucket ends at so many times the end of the one before.
const RATIO: f64 = std::f64::consts::SQRT_2;

/// Calls by how long they took, in the buckets of `latency_bounds()` in Postgres: the first below a millisecond, each further one
/// up to √2 times the one before, the last one (nine minutes and more) without an end.
///
/// A quantile lies in the bucket that the true one lies in, so it is wrong by a factor of √2 at most, and by far less where
/// calls are spread over their bucket. Counts are floats of 32 bits, which are exact to sixteen million per bucket and day and
/// right to seven digits beyond.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram(Vec<f64>);

impl From<Vec<f32>> for Histogram {
    fn from(counts: Vec<f32>) -> Self {
        Self(counts.into_iter().map(f64::from).collect())
    }
}

impl Histogram {
    /// So many milliseconds that this share of the calls took no longer; `None` without a call.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let all: f64 = self.0.iter().sum();
        if all <= 0.0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * all;
        let mut below = 0.0;
        for (bucket, count) in self.0.iter().enumerate() {
            if *count > 0.0 && below + count >= rank {
                // Between the bucket's ends as if its calls were spread evenly over their logarithms.
                let within = (rank - below) / count;
                return Some(FIRST * RATIO.powf(bucket as f64 - 1.0 + within));
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Postgres makes of latencies in microseconds.
    fn of(latencies: &[u64]) -> Histogram {
        let mut counts = vec![0.0; 40];
        for us in latencies {
            let bucket = (0..39).filter(|end| (1_000.0 * RATIO.powi(*end)).round() as u64 <= *us);
            counts[bucket.count()] += 1.0;
        }
        Histogram::from(counts)
    }

    #[test]
    fn nothing_has_no_quantile_and_one_call_has_itself() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        assert_eq!(of(&[]).quantile(0.5), None);
        let one = of(&[100_000]).quantile(0.95).unwrap();
        assert!((90.0..=128.0).contains(&one), "{one}");
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_its_bound(
            mut latencies in prop::collection::vec(1_000u64..600_000_000, 1..400), share in 0.01f64..1.0
        ) {
            let told = of(&latencies).quantile(share).unwrap();
            latencies.sort_unstable();
            let rank = ((share * latencies.len() as f64).ceil() as usize).clamp(1, latencies.len());
            let truth = latencies[rank - 1] as f64 / 1e3;
            // The last bucket has no end.
            let truth = truth.min(600_000.0);
            prop_assert!(told <= truth * RATIO * 1.001 && told >= truth / RATIO / 1.001, "{told} for {truth}");
        }
    }
}
