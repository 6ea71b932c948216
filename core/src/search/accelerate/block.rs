//! The vectors of one store side by side in memory, compared with a query one by one.
//!
//! A component is one byte: the scan is bound by memory, and what it is for is only to say which few chunks are worth an exact
//! comparison. That is Postgres' affair, so no score ever comes from here.

use fearless_simd::{Level, Simd, dispatch};
use insula_tenancy::ChunkId;

use crate::pg::Halfvec;

/// Rows that are compared before the best of them are looked for: their sums stay in the first cache.
const TILE: usize = 1024;
/// Largest component of a query. Twelve bits: their products with eight others can be added 4,000 times in 32 bits.
const QUERY_MOST: f32 = 2047.0;
/// Largest component of a chunk.
const CODE_MOST: f32 = 127.0;

/// Vectors of a store as of one version of its content.
pub(super) struct Block {
    dimensions: usize,
    /// The version of the store's content that was read before them.
    pub(super) version: i64,
    ids: Vec<ChunkId>,
    /// What a row's codes are to be multiplied with.
    scales: Vec<f32>,
    codes: Vec<i8>,
}

impl Block {
    /// An empty one, with room for so many chunks.
    pub(super) fn new(dimensions: usize, version: i64, chunks: usize) -> Self {
        Self {
            dimensions,
            version,
            ids: Vec::with_capacity(chunks),
            scales: Vec::with_capacity(chunks),
            codes: Vec::with_capacity(chunks * dimensions),
        }
    }

    /// What so many chunks take, in bytes.
    pub(super) fn bytes_of(dimensions: usize, chunks: usize) -> u64 {
        let row = dimensions + size_of::<f32>() + size_of::<ChunkId>();
        (size_of::<Self>() + chunks * row) as u64
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> u64 {
        Self::bytes_of(self.dimensions, self.ids.capacity())
    }

    /// Adds a chunk. One whose vector has another length than the block's is left out.
    pub(super) fn push(&mut self, id: ChunkId, vector: &Halfvec) {
        let before = self.codes.len();
        let most = vector.values().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = most / CODE_MOST;
        let code = |value: f32| (value / scale).round() as i8;
        if scale > 0.0 {
            self.codes.extend(vector.values().map(code));
        } else {
            self.codes.resize(before + self.dimensions, 0);
        }
        if self.codes.len() != before + self.dimensions {
            self.codes.truncate(before);
            return;
        }
        self.ids.push(id);
        self.scales.push(scale);
    }

    /// Adds a chunk of another block of the same store and model.
    pub(super) fn take(&mut self, other: &Self, row: usize) {
        let codes = row * self.dimensions..(row + 1) * self.dimensions;
        self.ids.push(other.ids[row]);
        self.scales.push(other.scales[row]);
        self.codes.extend_from_slice(&other.codes[codes]);
    }

    /// Its chunks, by row.
    pub(super) fn ids(&self) -> &[ChunkId] {
        &self.ids
    }

    /// The `count` chunks nearest to a query, in no order.
    pub(super) fn nearest(&self, query: &Halfvec, count: usize) -> Vec<ChunkId> {
        let most = query.values().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = if most > 0.0 { QUERY_MOST / most } else { 0.0 };
        let query: Vec<i16> = query
            .values()
            .map(|value| (value * scale).round() as i16)
            .collect();
        if query.len() != self.dimensions || count == 0 {
            return Vec::new();
        }
        let level = Level::new();
        let mut sums = [0i32; TILE];
        let mut best = Best::new(count);
        for (tile, codes) in self.codes.chunks(TILE * self.dimensions).enumerate() {
            dispatch!(level, simd => products(simd, codes, &query, &mut sums));
            let first = tile * TILE;
            for (row, sum) in sums.iter().enumerate().take(codes.len() / self.dimensions) {
                best.offer(self.scales[first + row] * *sum as f32, first + row);
            }
        }
        best.rows().map(|row| self.ids[row]).collect()
    }
}

/// The inner products of rows with a query. What it is inlined into is compiled for each kind of processor, so that the plain
/// loop becomes instructions of the one that it runs on.
#[inline(always)]
fn products<S: Simd>(simd: S, rows: &[i8], query: &[i16], sums: &mut [i32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (row, sum) in rows.chunks_exact(query.len()).zip(sums) {
                let mut product = 0i32;
                for (code, component) in row.iter().zip(query) {
                    product += i32::from(i16::from(*code)) * i32::from(*component);
                }
                *sum = product;
            }
        },
    );
}

/// The best of many, found without sorting them.
struct Best {
    count: usize,
    kept: Vec<(f32, usize)>,
    /// What a row has to be better than.
    bar: f32,
}

impl Best {
    fn new(count: usize) -> Self {
        Self {
            count,
            kept: Vec::with_capacity(2 * count),
            bar: f32::NEG_INFINITY,
        }
    }

    fn offer(&mut self, score: f32, row: usize) {
        if score > self.bar {
            self.kept.push((score, row));
            if self.kept.len() == 2 * self.count {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        if self.kept.len() > self.count {
            let (_, worst, _) = self
                .kept
                .select_nth_unstable_by(self.count - 1, |a, b| b.0.total_cmp(&a.0));
            self.bar = worst.0;
            self.kept.truncate(self.count);
        }
    }

    fn rows(mut self) -> impl Iterator<Item = usize> {
        self.shrink();
        self.kept.into_iter().map(|(_, row)| row)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn vector(rng: &mut StdRng, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn exact(rows: &[Vec<f32>], query: &[f32], count: usize) -> Vec<usize> {
        let product = |row: &Vec<f32>| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| product(&rows[*b]).total_cmp(&product(&rows[*a])));
        order.truncate(count);
        order
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The nearest ten are among three times as many that are proposed, whatever the number of rows and dimensions.
        #[test]
        fn the_nearest_are_proposed(seed: u64, rows in 0usize..3000, dimensions in 1usize..80) {
            let mut rng = StdRng::seed_from_u64(seed);
            let vectors: Vec<Vec<f32>> = (0..rows).map(|_| vector(&mut rng, dimensions)).collect();
            let query = vector(&mut rng, dimensions);
            let mut block = Block::new(dimensions, 1, rows);
            let ids: Vec<ChunkId> = vectors.iter().map(|_| ChunkId::generate()).collect();
            for (id, vector) in ids.iter().zip(&vectors) {
                block.push(*id, &Halfvec::new(vector));
            }
            let proposed: HashSet<ChunkId> = block.nearest(&Halfvec::new(&query), 30).into_iter().collect();
            prop_assert_eq!(proposed.len(), rows.min(30));
            // With one dimension nearly all are equally near.
            if dimensions > 16 {
                for row in exact(&vectors, &query, 10) {
                    prop_assert!(proposed.contains(&ids[row]));
                }
            }
        }
    }

    #[test]
    fn vectors_of_nothing_and_of_another_length_do_no_harm() {
        let mut block = Block::new(3, 1, 2);
        let (zero, other) = (ChunkId::generate(), ChunkId::generate());
        block.push(zero, &Halfvec::new(&[0.0, 0.0, 0.0]));
        block.push(other, &Halfvec::new(&[1.0, 0.0]));
        assert_eq!(block.ids(), [zero]);
        assert_eq!(block.nearest(&Halfvec::new(&[1.0, 0.0, 0.0]), 5), [zero]);
        assert!(block.nearest(&Halfvec::new(&[1.0]), 5).is_empty());
        let mut copy = Block::new(3, 2, 1);
        copy.take(&block, 0);
        assert_eq!(copy.nearest(&Halfvec::new(&[0.0, 0.0, 0.0]), 5), [zero]);
    }
}
