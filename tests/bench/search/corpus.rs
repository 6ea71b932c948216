//! Chunks and questions whose right answers can be computed: made from a number, the same in every run.
//!
//! A store has topics, a topic documents, a document ten chunks; each is its parent moved by noise of low rank, as real
//! embeddings are. A question is a chunk moved a little, with words of that chunk.

use insula_core::text::terms::{DocumentTerms, QueryTerms, idf};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Length of the vectors.
pub(super) const DIMENSIONS: usize = 384;
/// Chunks of a document.
const PER_DOCUMENT: usize = 10;
/// Chunks of a topic, so that larger stores are about more.
const PER_TOPIC: usize = 500;
/// Rank of the noise.
const RANK: usize = 32;
/// Words of a chunk.
const WORDS: usize = 100;
/// Different words there are.
const VOCABULARY: usize = 20_000;
/// Words of a question.
const ASKED: usize = 4;

/// A chunk.
pub(super) struct Chunk {
    pub(super) vector: Vec<f32>,
    pub(super) text: String,
    pub(super) terms: DocumentTerms,
}

/// A question, in the forms of all who are asked it.
pub(super) struct Question {
    /// As the API is asked it; no two are the same.
    pub(super) text: String,
    pub(super) vector: Vec<f32>,
    pub(super) terms: QueryTerms,
}

/// Makes the chunks of a store, one after the other.
pub(super) struct Corpus {
    rng: StdRng,
    chunks: usize,
    basis: Vec<Vec<f32>>,
    topics: Vec<Vec<f32>>,
    document: Vec<f32>,
    made: usize,
    words: Vec<String>,
}

impl Corpus {
    pub(super) fn new(seed: u64, chunks: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let basis = (0..RANK).map(|_| unit(noise(&mut rng))).collect();
        let topics = (0..chunks.div_ceil(PER_TOPIC).max(5))
            .map(|_| unit(noise(&mut rng)))
            .collect();
        Self {
            rng,
            chunks,
            basis,
            topics,
            document: Vec::new(),
            made: 0,
            words: (0..VOCABULARY).map(word).collect(),
        }
    }

    /// The vector moved by noise: much along few directions, a little along all.
    fn moved(&mut self, from: &[f32], along: f32, around: f32) -> Vec<f32> {
        let mut vector = from.to_vec();
        for (rank, direction) in self.basis.iter().enumerate() {
            // A spectrum that decays, as those of real models do.
            let weight = along * normal(&mut self.rng) / (1.0 + rank as f32).sqrt();
            vector
                .iter_mut()
                .zip(direction)
                .for_each(|(x, d)| *x += weight * d);
        }
        for x in &mut vector {
            *x += around * normal(&mut self.rng) / (DIMENSIONS as f32).sqrt();
        }
        unit(vector)
    }

    /// Words as often as in texts: few often, most seldom.
    fn text(&mut self) -> String {
        let mut text = String::with_capacity(WORDS * 8);
        for place in 0..WORDS {
            let share: f32 = self.rng.random();
            let rank = (VOCABULARY as f32).powf(share) as usize - 1;
            if place > 0 {
                text.push(' ');
            }
            text.push_str(&self.words[rank.min(VOCABULARY - 1)]);
        }
        text
    }

    /// The question about a chunk.
    pub(super) fn question(&mut self, number: usize, about: &Chunk) -> Question {
        let vector = self.moved(&about.vector, 0.15, 0.35);
        let words: Vec<&str> = about.text.split(' ').collect();
        let asked: Vec<&str> = (0..ASKED)
            .map(|_| words[self.rng.random_range(0..words.len())])
            .collect();
        // The number keeps two questions apart that have the same words; no chunk has it.
        let text = format!("{} {number}", asked.join(" "));
        Question {
            terms: QueryTerms::new(&text, &[]),
            vector,
            text,
        }
    }
}

impl Iterator for Corpus {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        if self.made == self.chunks {
            return None;
        }
        if self.made.is_multiple_of(PER_DOCUMENT) {
            let topic = self.rng.random_range(0..self.topics.len());
            let centre = self.topics[topic].clone();
            self.document = self.moved(&centre, 0.6, 0.5);
        }
        self.made += 1;
        let document = self.document.clone();
        let text = self.text();
        Some(Chunk {
            vector: self.moved(&document, 0.4, 0.5),
            terms: DocumentTerms::new(&text, Some("und"), WORDS as f32),
            text,
        })
    }
}

/// The weights that a store gives the words of a question.
pub(super) fn weigh(question: &Question, chunks: usize, frequency: impl Fn(i32) -> i64) -> Vec<(i32, f32)> {
    let known = question.terms.terms.iter().filter_map(|term| {
        let df = frequency(*term);
        (df > 0).then(|| (*term, idf(chunks as i64, df)))
    });
    known.collect()
}

/// A word that is none of any language, different for each number.
fn word(number: usize) -> String {
    const OPEN: [&str; 10] = ["b", "d", "f", "g", "k", "l", "m", "n", "r", "t"];
    const VOWEL: [&str; 5] = ["a", "e", "i", "o", "u"];
    let (mut rest, mut text) = (number, String::new());
    for _ in 0..3 {
        text.push_str(OPEN[rest % 10]);
        text.push_str(VOWEL[rest / 10 % 5]);
        rest /= 50;
    }
    text
}

fn noise(rng: &mut StdRng) -> Vec<f32> {
    (0..DIMENSIONS).map(|_| normal(rng)).collect()
}

/// A normal variate (Box and Muller).
fn normal(rng: &mut StdRng) -> f32 {
    let (u, v): (f32, f32) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}
