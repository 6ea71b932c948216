//! Which candidates become the answer, and whether there is one.

use super::score::Candidate;

/// Most sentences of an answer.
const MAX_SENTENCES: usize = 3;
/// Smallest score (by terms and surroundings) of a sentence that answers anything. On XQuAD a tenth less refuses a
/// third fewer of the unanswerable questions, a tenth more loses a tenth of the answers (`examples/extractive_eval`).
const ENOUGH: f32 = 0.4;
/// Smallest share of the question's terms that the sentence itself must have.
const ENOUGH_OWN: f32 = 0.25;
/// With meaning measured: smallest mixed score, and the cosine from which meaning alone is enough.
const ENOUGH_MIXED: f32 = 0.45;
const ENOUGH_COSINE: f32 = 0.62;
/// Cosines of unrelated and of paraphrased sentences, mapped to 0 and 1.
const COSINE_RANGE: (f32, f32) = (0.15, 0.75);
/// Share of meaning in the mixed score.
const MEANING: f32 = 0.5;
/// Further sentences need this share of the best one's score.
const FURTHER: f32 = 0.62;
/// What resemblance to a sentence already chosen costs.
const REDUNDANCY: f32 = 0.35;
/// A sentence that shares this much of its terms with a chosen one says nothing new.
const SAME: f32 = 0.7;

/// Chooses the sentences of the answer in the order in which they are said: the passage of the best sentence first,
/// then the others by rank, and within a passage in the order of its text. Empty when nothing is good enough.
///
/// `compared` says whether cosines were measured.
pub(super) fn select(candidates: Vec<Candidate>, compared: bool) -> Vec<Candidate> {
    let mut scored: Vec<(f32, Candidate)> = candidates
        .into_iter()
        .map(|candidate| (mixed(&candidate, compared), candidate))
        .collect();
    let mut chosen: Vec<(f32, Candidate)> = Vec::new();
    while chosen.len() < MAX_SENTENCES {
        let best = scored
            .iter()
            .enumerate()
            .filter(|(_, (score, candidate))| is_enough(*score, candidate, compared))
            .filter(|(_, (score, _))| chosen.first().is_none_or(|(first, _)| *score >= first * FURTHER))
            .map(|(at, (score, candidate))| (at, score - REDUNDANCY * resemblance(candidate, &chosen)))
            .filter(|(at, _)| resemblance(&scored[*at].1, &chosen) < SAME)
            // The earlier one wins a tie.
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let Some((at, _)) = best else { break };
        chosen.push(scored.remove(at));
    }
    let first = chosen.first().map(|(_, candidate)| candidate.passage);
    let mut answer: Vec<Candidate> = chosen.into_iter().map(|(_, candidate)| candidate).collect();
    answer.sort_by_key(|candidate| {
        (
            Some(candidate.passage) != first,
            candidate.passage,
            candidate.sentence.range.start,
        )
    });
    answer
}

fn mixed(candidate: &Candidate, compared: bool) -> f32 {
    match candidate.cosine {
        Some(cosine) => {
            let (low, high) = COSINE_RANGE;
            let meaning = ((cosine - low) / (high - low)).clamp(0.0, 1.0);
            MEANING * meaning + (1.0 - MEANING) * candidate.score
        }
        // Too long for the model, or too poor in terms to be measured.
        None if compared => candidate.score * (1.0 - MEANING),
        None => candidate.score,
    }
}

fn is_enough(score: f32, candidate: &Candidate, compared: bool) -> bool {
    if compared {
        let by_both = score >= ENOUGH_MIXED && candidate.score >= ENOUGH / 2.0;
        by_both || candidate.cosine.is_some_and(|cosine| cosine >= ENOUGH_COSINE)
    } else {
        candidate.score >= ENOUGH && candidate.coverage >= ENOUGH_OWN
    }
}

/// The largest share of terms that a candidate has in common with one that was chosen, 0..=1.
fn resemblance(candidate: &Candidate, chosen: &[(f32, Candidate)]) -> f32 {
    let jaccard = |other: &Candidate| {
        let common = candidate.terms.intersection(&other.terms).count();
        let all = candidate.terms.len() + other.terms.len() - common;
        if all == 0 { 0.0 } else { common as f32 / all as f32 }
    };
    chosen.iter().map(|(_, other)| jaccard(other)).fold(0.0, f32::max)
}
