//! When a delivery that failed is tried again.

use std::time::Duration;

use rand::Rng;

/// Pauses after the first, second, … attempt, as Standard Webhooks recommends them for a day.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(7 * 3600),
];

/// The pause after an attempt, from 1; `None` after the last. Up to a tenth longer by chance, so that a receiver that
/// comes back does not get everything at once; never shorter, so that all together are a whole day.
pub(super) fn pause_after(attempt: i32) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    let pause = PAUSES.get(index)?;
    Some(pause.mul_f64(rand::rng().random_range(1.0..1.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_attempts_over_a_day() {
        let pauses: Vec<Duration> = (1..).map_while(pause_after).collect();
        assert_eq!(pauses.len(), 7);
        let day = Duration::from_secs(24 * 3600);
        let total: Duration = pauses.iter().sum();
        assert!(total > day && total < day + day / 4, "{total:?}");
        assert_eq!(pause_after(0), None);
        assert_eq!(pause_after(i32::MAX), None);
    }
}
