//! What cannot be beaten without an index: all vectors side by side in memory, compared one by one.

use std::time::{Duration, Instant};

use insula_tenancy::ChunkId;

use super::corpus::{DIMENSIONS, Question};

/// How many neighbours count.
pub(super) const AT: usize = 10;

/// A store's vectors.
#[derive(Default)]
pub(super) struct Exact {
    pub(super) ids: Vec<ChunkId>,
    vectors: Vec<f32>,
}

impl Exact {
    pub(super) fn push(&mut self, id: ChunkId, vector: &[f32]) {
        self.ids.push(id);
        self.vectors.extend_from_slice(vector);
    }

    /// The nearest to each question, and how long one took on one thread.
    pub(super) fn answers(&self, questions: &[Question]) -> (Vec<Vec<ChunkId>>, Duration) {
        let mut took = Vec::with_capacity(questions.len());
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let started = Instant::now();
            let mut nearest: Vec<(f32, usize)> = Vec::with_capacity(AT + 1);
            for (place, vector) in self.vectors.chunks_exact(DIMENSIONS).enumerate() {
                let similarity = product(vector, &question.vector);
                if nearest.len() < AT || nearest.last().is_some_and(|(worst, _)| similarity > *worst) {
                    let at = nearest.partition_point(|(better, _)| *better >= similarity);
                    nearest.insert(at, (similarity, place));
                    nearest.truncate(AT);
                }
            }
            took.push(started.elapsed());
            answers.push(nearest.into_iter().map(|(_, place)| self.ids[place]).collect());
        }
        took.sort();
        (answers, took[took.len() / 2])
    }
}

/// In eight sums, so that the compiler may add them side by side.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a, _) = a.as_chunks::<8>();
    let (b, _) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for place in 0..8 {
            sums[place] += a[place] * b[place];
        }
    }
    sums.iter().sum()
}
