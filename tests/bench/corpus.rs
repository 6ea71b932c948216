//! Documents to measure with: made from this repository's own prose, the same in every run.

/// Prose that is always there.
const SOURCES: [&str; 4] = [
    include_str!("../../ARCHITECTURE.md"),
    include_str!("../../CONTRIBUTING.md"),
    include_str!("../../SECURITY.md"),
    include_str!("../../README.md"),
];
/// Sentences per chunk, near enough: a chunk of the default size holds about this many.
const SENTENCES_PER_CHUNK: usize = 11;
const CHUNKS_PER_DOCUMENT: usize = 100;

/// A small generator (xorshift64*), so that a run can be repeated.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

fn words() -> Vec<&'static str> {
    let plain = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_alphabetic());
    SOURCES
        .iter()
        .flat_map(|text| text.split_whitespace())
        .filter(plain)
        .collect()
}

fn sentence(rng: &mut Rng, words: &[&str]) -> String {
    // A run of real prose with some words from elsewhere: natural lengths and frequencies, no two alike.
    let length = 9 + rng.below(14);
    let start = rng.below(words.len() - length);
    let mut chosen: Vec<&str> = words[start..start + length].to_vec();
    for _ in 0..length / 3 {
        let place = rng.below(length);
        chosen[place] = words[rng.below(words.len())];
    }
    let mut text = chosen.join(" ");
    text.push('.');
    text
}

/// Plain-text documents of about `chunks` chunks in all.
pub(crate) fn documents(chunks: usize) -> Vec<String> {
    let (words, mut rng) = (words(), Rng(0x9E37_79B9_7F4A_7C15));
    (0..chunks.div_ceil(CHUNKS_PER_DOCUMENT))
        .map(|_| {
            let paragraph = |rng: &mut Rng| {
                (0..SENTENCES_PER_CHUNK)
                    .map(|_| sentence(rng, &words))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            (0..CHUNKS_PER_DOCUMENT)
                .map(|_| paragraph(&mut rng))
                .collect::<Vec<_>>()
                .join("\n\n")
        })
        .collect()
}

/// A question of six words.
pub(crate) fn query(rng: &mut Rng) -> String {
    let words = words();
    let start = rng.below(words.len() - 6);
    words[start..start + 6].join(" ")
}
