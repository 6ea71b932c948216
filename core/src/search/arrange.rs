//! The order of hits, as far as more than their scores decides it.

use std::collections::HashMap;

use insula_tenancy::ChunkId;

use super::answer::Hit;
use super::request::Arrangement;
use crate::pg::Halfvec;

/// Scores hits for their age, leaves out those below the threshold, and puts the rest in order. `vectors` are those of hits
/// that can be compared; of two that cannot be, neither repeats the other.
pub(super) fn arrange(
    mut hits: Vec<Hit>,
    arrangement: &Arrangement,
    threshold: f64,
    vectors: &HashMap<ChunkId, Halfvec>,
) -> Vec<Hit> {
    if let Some(recency) = &arrangement.recency {
        for hit in &mut hits {
            let factor = recency.factor(hit.age_days);
            hit.score *= factor;
            hit.parts.recency = Some(factor);
        }
    }
    hits.retain(|hit| hit.score >= threshold);
    // Stable: those that nothing tells apart stay as they were found.
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    if arrangement.diversity > 0.0 {
        hits = diverse(hits, arrangement.diversity, vectors);
    }
    match arrangement.per_file {
        Some(most) => by_file(hits, usize::try_from(most).unwrap_or(usize::MAX)),
        None => hits,
    }
}

/// Maximal marginal relevance: next is always the hit with the best balance of its score and what it has in common with the
/// hits before it.
fn diverse(mut hits: Vec<Hit>, diversity: f64, vectors: &HashMap<ChunkId, Halfvec>) -> Vec<Hit> {
    let unpacked: HashMap<ChunkId, Vec<f32>> = vectors
        .iter()
        .map(|(id, vector)| (*id, vector.values().collect()))
        .collect();
    let similarity = |a: &Hit, b: &Hit| match (unpacked.get(&a.chunk_id), unpacked.get(&b.chunk_id)) {
        (Some(a), Some(b)) if a.len() == b.len() => a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum(),
        _ => 0.0,
    };
    // Of each hit that is left, the most that it has in common with one that is placed.
    let mut repeated = vec![0.0f64; hits.len()];
    let mut placed: Vec<Hit> = Vec::with_capacity(hits.len());
    while !hits.is_empty() {
        let worth = |at: usize| (1.0 - diversity) * hits[at].score - diversity * repeated[at];
        // The first of equals: `max_by` would take the last.
        let next = (0..hits.len())
            .rev()
            .max_by(|a, b| worth(*a).total_cmp(&worth(*b)));
        let next = next.unwrap_or(0);
        let hit = hits.remove(next);
        repeated.remove(next);
        for (other, repeated) in hits.iter().zip(&mut repeated) {
            *repeated = repeated.max(similarity(&hit, other));
        }
        placed.push(hit);
    }
    placed
}

/// Hits of one file together, where its first one was, `most` of each.
fn by_file(hits: Vec<Hit>, most: usize) -> Vec<Hit> {
    let mut places = HashMap::new();
    let mut groups: Vec<Vec<Hit>> = Vec::new();
    for hit in hits {
        let key = (hit.vector_store_id, hit.file_id);
        let place = *places.entry(key).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        if groups[place].len() < most {
            groups[place].push(hit);
        }
    }
    groups.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use insula_tenancy::{FileId, VectorStoreId};

    use super::*;
    use crate::search::answer::ScoreParts;
    use crate::search::request::Recency;
    use crate::vector_store::Attributes;

    fn hit(name: &str, file_id: FileId, score: f64, age_days: f64) -> Hit {
        Hit {
            chunk_id: ChunkId::generate(),
            vector_store_id: VectorStoreId::from(uuid::Uuid::nil()),
            file_id,
            filename: name.into(),
            attributes: Attributes::new(),
            age_days,
            ordinal: 0,
            content: String::new(),
            language: "und".into(),
            heading_path: Vec::new(),
            page: None,
            start_char: 0,
            end_char: 0,
            score,
            parts: ScoreParts::default(),
            before: Vec::new(),
            after: Vec::new(),
            highlights: Vec::new(),
        }
    }

    fn names(hits: &[Hit]) -> String {
        hits.iter().map(|hit| hit.filename.as_str()).collect()
    }

    #[test]
    fn what_repeats_others_comes_later_the_more_diversity_is_wanted() {
        let file = FileId::generate();
        let hits = vec![
            hit("a", file, 0.9, 0.0),
            hit("b", file, 0.8, 0.0),
            hit("c", file, 0.5, 0.0),
        ];
        let vectors: HashMap<ChunkId, Halfvec> = hits
            .iter()
            .zip([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]])
            .map(|(hit, vector)| (hit.chunk_id, Halfvec::new(&vector)))
            .collect();
        let order = |diversity| {
            let arrangement = Arrangement {
                diversity,
                ..Arrangement::default()
            };
            names(&arrange(hits.clone(), &arrangement, 0.0, &vectors))
        };
        assert_eq!(order(0.0), "abc");
        assert_eq!(order(0.1), "abc");
        assert_eq!(order(0.5), "acb");
        assert_eq!(order(1.0), "acb");
    }

    #[test]
    fn age_takes_its_part_of_the_score_and_no_more() {
        let file = FileId::generate();
        let hits = vec![hit("o", file, 0.8, 30.0), hit("n", file, 0.7, 0.0)];
        let of = |weight, threshold| {
            let arrangement = Arrangement {
                recency: Some(Recency {
                    half_life_days: 30.0,
                    weight,
                    attribute: None,
                }),
                ..Arrangement::default()
            };
            arrange(hits.clone(), &arrangement, threshold, &HashMap::new())
        };
        assert_eq!(names(&of(0.0, 0.0)), "on");
        let half = of(0.5, 0.0);
        assert_eq!(names(&half), "no");
        assert!(
            (half[1].score - 0.6).abs() < 1e-9,
            "a quarter is lost after one half-life"
        );
        assert_eq!(names(&of(0.5, 0.65)), "n");
    }

    #[test]
    fn files_stand_together_and_none_crowds_out_the_others() {
        let (one, two) = (FileId::generate(), FileId::generate());
        let hits = vec![
            hit("a", one, 0.9, 0.0),
            hit("x", two, 0.8, 0.0),
            hit("b", one, 0.7, 0.0),
            hit("c", one, 0.6, 0.0),
        ];
        let grouped = |per_file| {
            let arrangement = Arrangement {
                per_file: Some(per_file),
                ..Arrangement::default()
            };
            names(&arrange(hits.clone(), &arrangement, 0.0, &HashMap::new()))
        };
        assert_eq!(grouped(1), "ax");
        assert_eq!(grouped(2), "abx");
        assert_eq!(grouped(9), "abcx");
    }
}
