//! Who is called next. Pure: what is known of the targets and the dice come in as parameters.

/// How the target of a call is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first that is well.
    #[default]
    Ordered,
    /// By chance, in proportion to weights. A target of weight 0 is called when all others are out.
    Weighted,
    /// The fastest of late; now and then another one, to find out whether it has become faster.
    LeastLatency,
}

/// Of so many calls one goes to a target by chance, where the fastest is preferred.
const EXPLORE: f64 = 0.05;

/// A set of positions of targets, at most [`Targets::MOST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Targets(u64);

impl Targets {
    /// Most targets of a route.
    pub const MOST: usize = 64;

    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    pub fn add(&mut self, position: usize) {
        self.0 |= 1 << position;
    }

    /// Those that are not in `others`.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those in either.
    pub fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Their positions in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| left.trailing_zeros() as usize);
            left &= left.wrapping_sub(1);
            next
        })
    }
}

/// Chooses one of `open`. `latency` is 0 where nothing was measured; `random` gives numbers in 0..1.
pub(super) fn choose(
    strategy: Strategy,
    open: Targets,
    weight: impl Fn(usize) -> u32,
    latency: impl Fn(usize) -> u64,
    random: &mut impl FnMut() -> f64,
) -> Option<usize> {
    let first = open.iter().next()?;
    if open.len() == 1 {
        return Some(first);
    }
    Some(match strategy {
        Strategy::Ordered => first,
        Strategy::Weighted => {
            let sum: u64 = open.iter().map(|at| u64::from(weight(at))).sum();
            let mut left = random() * sum as f64;
            let mut chosen = first;
            for at in open.iter().filter(|at| weight(*at) > 0) {
                // The last one keeps what rounding leaves over.
                chosen = at;
                left -= f64::from(weight(at));
                if left < 0.0 {
                    break;
                }
            }
            chosen
        }
        Strategy::LeastLatency if random() < EXPLORE => {
            let at = (random() * open.len() as f64) as usize;
            open.iter().nth(at).unwrap_or(first)
        }
        // What was never measured counts as fastest, and is measured thereby.
        Strategy::LeastLatency => open.iter().min_by_key(|at| latency(*at)).unwrap_or(first),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::{Strategy, Targets, choose};

    fn of(positions: &[usize]) -> Targets {
        let mut targets = Targets::NONE;
        positions.iter().for_each(|at| targets.add(*at));
        targets
    }

    /// How often each of three targets is chosen in 10,000 calls.
    fn counts(strategy: Strategy, open: Targets, weights: [u32; 3], latencies: [u64; 3]) -> [u32; 3] {
        let mut dice = StdRng::seed_from_u64(7);
        let mut random = || dice.random::<f64>();
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let chosen = choose(strategy, open, |at| weights[at], |at| latencies[at], &mut random);
            counts[chosen.unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn in_order_the_first_of_those_that_are_well() {
        assert_eq!(
            counts(Strategy::Ordered, of(&[1, 2]), [1; 3], [0; 3]),
            [0, 10_000, 0]
        );
        assert_eq!(
            choose(Strategy::Ordered, Targets::NONE, |_| 1, |_| 0, &mut || 0.5),
            None
        );
    }

    #[test]
    fn weights_are_proportions() {
        let [a, b, c] = counts(Strategy::Weighted, of(&[0, 1, 2]), [8, 2, 0], [0; 3]);
        assert!(
            (7_800..8_200).contains(&a) && a + b == 10_000 && c == 0,
            "{a} {b} {c}"
        );
        let [a, b, c] = counts(Strategy::Weighted, of(&[1, 2]), [8, 2, 6], [0; 3]);
        assert!(a == 0 && (2_300..2_700).contains(&b), "{a} {b} {c}");
        assert_eq!(
            counts(Strategy::Weighted, of(&[0, 2]), [0, 9, 0], [0; 3]),
            [10_000, 0, 0],
            "without weights the order decides"
        );
    }

    #[test]
    fn the_fastest_is_preferred_and_the_others_are_looked_at() {
        let [a, b, c] = counts(Strategy::LeastLatency, of(&[0, 1, 2]), [1; 3], [900, 300, 500]);
        assert!(
            b > 9_500 && (100..300).contains(&a) && (100..300).contains(&c),
            "{a} {b} {c}"
        );
        let [a, _, _] = counts(Strategy::LeastLatency, of(&[0, 1, 2]), [1; 3], [0, 300, 500]);
        assert!(a > 9_500, "what is not known is tried");
    }

    proptest! {
        #[test]
        fn only_open_targets_are_chosen(
            open in 1u64.., weights in prop::collection::vec(0u32..100, 64), latencies in prop::collection::vec(0u64..100, 64),
            dice in prop::collection::vec(0.0f64..1.0, 2), strategy in 0..3,
        ) {
            let strategy = [Strategy::Ordered, Strategy::Weighted, Strategy::LeastLatency][strategy as usize];
            let mut rolls = dice.into_iter().cycle();
            let mut random = || rolls.next().unwrap();
            let chosen = choose(strategy, Targets(open), |at| weights[at], |at| latencies[at], &mut random).unwrap();
            prop_assert!(open & (1 << chosen) != 0);
            let someone_has_weight = Targets(open).iter().any(|at| weights[at] > 0);
            if strategy == Strategy::Weighted && someone_has_weight {
                prop_assert!(weights[chosen] > 0);
            }
        }

        #[test]
        fn a_set_lists_what_was_put_in(positions in prop::collection::btree_set(0usize..64, 0..64)) {
            let targets = of(&positions.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(targets.iter().collect::<Vec<_>>(), positions.into_iter().collect::<Vec<_>>());
        }
    }
}
