//! How the two halves of a search become one score.
//!
//! A chunk's cosine similarity and the share of the query's words that it is about (BM25 over the most that is possible) are
//! added with weights, and the sum is turned into the chance that the chunk answers (logistic regression). The weights were
//! chosen on the tuning questions of public sets (`make bench-relevance-lab`); `make bench-relevance` prints what they are worth.
//! The score means the same in every store of a model: scores of several stores can be compared.

use crate::{Error, Result};

/// How much either half of a search counts beside the other. Equal weights are the balance that was tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Of meaning, at least 0.
    pub vector: f64,
    /// Of words, at least 0.
    pub text: f64,
}

impl Weights {
    pub(super) fn check(&self) -> Result<()> {
        for (name, value) in [("embedding_weight", self.vector), ("text_weight", self.text)] {
            if !(0.0..=1e6).contains(&value) {
                let param = format!("ranking_options.hybrid_search.{name}");
                return Err(Error::invalid(param, "Must be between 0 and 1000000."));
            }
        }
        if self.vector + self.text == 0.0 {
            return Err(Error::invalid(
                "ranking_options.hybrid_search",
                "At least one of the weights must be greater than 0.",
            ));
        }
        Ok(())
    }

    /// The vector half's share.
    pub(super) fn share(&self) -> f64 {
        self.vector / (self.vector + self.text)
    }
}

/// The share of the vector half that was tuned.
pub(super) const BALANCED: f64 = 0.5;

/// A chunk's score before it is turned into a chance: weighted sum of what the halves say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Blend {
    /// Of the cosine similarity.
    pub(super) vector: f64,
    /// Of the share of the query's words.
    pub(super) text: f64,
    /// Added to every chunk's.
    pub(super) bias: f64,
}

/// Words alone.
const WORDS: Blend = Blend {
    vector: 0.0,
    text: 16.6,
    bias: -8.0,
};
/// Both halves in balance.
const BOTH: Blend = Blend {
    vector: 9.9,
    text: 9.9,
    bias: -10.7,
};
/// Meaning alone.
const MEANING: Blend = Blend {
    vector: 15.5,
    text: 0.0,
    bias: -10.8,
};

impl Blend {
    /// With this share of the vector half, 0..=1.
    pub(super) fn at(share: f64) -> Self {
        if share <= BALANCED {
            WORDS.towards(BOTH, share / BALANCED)
        } else {
            BOTH.towards(MEANING, (share - BALANCED) / (1.0 - BALANCED))
        }
    }

    fn towards(self, other: Self, part: f64) -> Self {
        let mix = |from: f64, to: f64| from + (to - from) * part;
        Self {
            vector: mix(self.vector, other.vector),
            text: mix(self.text, other.text),
            bias: mix(self.bias, other.bias),
        }
    }
}

/// The chance that belongs to a sum.
pub(super) fn chance(sum: f64) -> f64 {
    1.0 / (1.0 + (-sum).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_that_has_no_share_has_no_say() {
        assert_eq!((Blend::at(0.0).vector, Blend::at(1.0).text), (0.0, 0.0));
        assert_eq!(Blend::at(0.5), BOTH);
        let (words, both) = (Blend::at(0.0), Blend::at(0.5));
        let between = Blend::at(0.25);
        assert!(between.vector > words.vector && between.vector < both.vector);
    }

    #[test]
    fn better_in_either_half_is_better() {
        for share in [0.1, 0.3, 0.5, 0.7, 0.9] {
            let blend = Blend::at(share);
            assert!(blend.vector > 0.0 && blend.text > 0.0);
        }
        assert_eq!(chance(0.0), 0.5);
        assert!(chance(-800.0) >= 0.0 && chance(800.0) <= 1.0);
    }

    #[test]
    fn weights_are_relative() {
        let share = |vector, text| Weights { vector, text }.share();
        assert_eq!(share(1.0, 1.0), BALANCED);
        assert_eq!(share(7.0, 7.0), BALANCED);
        assert_eq!((share(0.0, 2.0), share(3.0, 0.0)), (0.0, 1.0));
        for (vector, text) in [(0.0, 0.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert!(Weights { vector, text }.check().is_err(), "{vector} {text}");
        }
    }
}
