//! What a call went through, for whoever asks why it took so long or where its answer came from. No texts.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ChunkId, FileId, VectorStoreId};

/// Most stages that are kept of a call.
const MOST_STAGES: usize = 32;
/// Most attempts.
const MOST_ATTEMPTS: usize = 16;
/// Most passages.
const MOST_CHUNKS: usize = 50;

/// The way of a call. Bounded: what comes after the most that is kept is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// What it went through, in the order in which it ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Which targets were called, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempted>,
    /// Which passages were found for it, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<UsedChunk>,
}

/// A part of the way. Stored as an array: names of fields would be most of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StageRow", into = "StageRow")]
pub struct Stage {
    /// What was done, as in `search.embed`.
    pub name: Cow<'static, str>,
    /// From the beginning of the call, in microseconds.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

/// A call of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AttemptRow", into = "AttemptRow")]
pub struct Attempted {
    /// The operator's name of the provider.
    pub provider: String,
    /// What the provider calls the model.
    pub upstream_model: String,
    /// What became of it, as in `answered`.
    pub outcome: Cow<'static, str>,
    /// The HTTP status, where one said that it failed.
    pub status: Option<u16>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

/// A passage, by its ids and its score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "ChunkRow", into = "ChunkRow")]
pub struct UsedChunk {
    /// Its store.
    pub vector_store_id: VectorStoreId,
    /// Its file.
    pub file_id: FileId,
    /// The passage.
    pub chunk_id: ChunkId,
    /// How well it matched, 0..=1.
    pub score: f64,
}

impl Trace {
    /// Adds a stage that lasted from one moment of the call to another.
    pub fn stage(&mut self, name: &'static str, from: Duration, to: Duration) {
        if self.stages.len() < MOST_STAGES {
            self.stages.push(Stage {
                name: Cow::Borrowed(name),
                start_us: micros(from),
                duration_us: micros(to.saturating_sub(from)),
            });
        }
    }

    /// Adds the call of a target.
    pub fn attempt(&mut self, attempt: impl Into<Attempted>) {
        if self.attempts.len() < MOST_ATTEMPTS {
            self.attempts.push(attempt.into());
        }
    }

    /// Adds passages.
    pub fn chunks(&mut self, chunks: impl IntoIterator<Item = UsedChunk>) {
        let room = MOST_CHUNKS.saturating_sub(self.chunks.len());
        self.chunks.extend(chunks.into_iter().take(room));
    }

    /// Adds the stages of something that began at a moment of the call.
    pub fn append(&mut self, from: Duration, other: Self) {
        let room = MOST_STAGES.saturating_sub(self.stages.len());
        self.stages
            .extend(other.stages.into_iter().take(room).map(|stage| Stage {
                start_us: stage.start_us.saturating_add(micros(from)),
                ..stage
            }));
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.attempts.is_empty() && self.chunks.is_empty()
    }
}

type StageRow = (Cow<'static, str>, u64, u64);
type AttemptRow = (String, String, Cow<'static, str>, Option<u16>, u64);
type ChunkRow = (VectorStoreId, FileId, ChunkId, f64);

impl From<StageRow> for Stage {
    fn from((name, start_us, duration_us): StageRow) -> Self {
        Self {
            name,
            start_us,
            duration_us,
        }
    }
}

impl From<Stage> for StageRow {
    fn from(stage: Stage) -> Self {
        (stage.name, stage.start_us, stage.duration_us)
    }
}

impl From<AttemptRow> for Attempted {
    fn from((provider, upstream_model, outcome, status, duration_us): AttemptRow) -> Self {
        Self {
            provider,
            upstream_model,
            outcome,
            status,
            duration_us,
        }
    }
}

impl From<Attempted> for AttemptRow {
    fn from(attempt: Attempted) -> Self {
        let Attempted {
            provider,
            upstream_model,
            outcome,
            status,
            duration_us,
        } = attempt;
        (provider, upstream_model, outcome, status, duration_us)
    }
}

impl From<ChunkRow> for UsedChunk {
    fn from((vector_store_id, file_id, chunk_id, score): ChunkRow) -> Self {
        Self {
            vector_store_id,
            file_id,
            chunk_id,
            score,
        }
    }
}

impl From<UsedChunk> for ChunkRow {
    fn from(chunk: UsedChunk) -> Self {
        // Four digits are more than a score means, and a third of what a float is written with.
        let score = (chunk.score * 1e4).round() / 1e4;
        (chunk.vector_store_id, chunk.file_id, chunk.chunk_id, score)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_small_bounded_and_reads_back() {
        let ms = Duration::from_millis;
        let mut trace = Trace::default();
        for n in 0..100 {
            trace.stage("model", ms(n), ms(n + 2));
            trace.attempt(Attempted {
                provider: "acme".into(),
                upstream_model: "large".into(),
                outcome: "limited".into(),
                status: Some(429),
                duration_us: n,
            });
        }
        let chunk = UsedChunk {
            vector_store_id: VectorStoreId::generate(),
            file_id: FileId::generate(),
            chunk_id: ChunkId::generate(),
            score: 0.123_449_9,
        };
        trace.chunks([chunk; 100]);
        let mut inner = Trace::default();
        inner.stage("search", ms(0), ms(1));
        trace.append(ms(1), inner);
        let json = serde_json::to_string(&trace).unwrap();
        assert!(json.len() < 10_000, "{}", json.len());
        let read: Trace = serde_json::from_str(&json).unwrap();
        assert_eq!((read.stages, read.attempts), (trace.stages, trace.attempts));
        assert_eq!((read.chunks.len(), read.chunks[0].score), (50, 0.1234));
        assert_eq!(serde_json::to_string(&Trace::default()).unwrap(), "{}");
    }
}
