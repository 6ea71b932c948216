//! How much a document may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;

/// What one document may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Resident memory of the child in bytes, its own code included.
    pub memory: u64,
    /// Processor time, in whole seconds.
    pub cpu: Duration,
    /// Time on the clock, from the first byte sent to the last one received.
    pub wall: Duration,
}

impl Default for Limits {
    /// 512 MiB, 60 s of processor time, 120 s on the clock.
    fn default() -> Self {
        Self {
            memory: 512 * MIB,
            cpu: Duration::from_secs(60),
            wall: Duration::from_secs(120),
        }
    }
}

impl Limits {
    /// Least memory that a child can work in, in bytes.
    pub const LEAST_MEMORY: u64 = 128 * MIB;

    /// The stack of the thread that reads, in bytes. Formats are trees, and some parsers walk them recursively.
    pub(super) const STACK: usize = 16 * 1024 * 1024;

    /// The main thread's stack, which only waits.
    pub(super) const MAIN_STACK: u64 = 8 * MIB;

    /// Memory that `RLIMIT_DATA` does not see: the main stack, and pages of the program and of its libraries.
    const UNCOUNTED: u64 = Self::MAIN_STACK + 56 * MIB;

    /// What the child may allocate, in bytes.
    pub(super) fn data(&self) -> u64 {
        self.memory.max(Self::LEAST_MEMORY) - Self::UNCOUNTED
    }

    /// The largest file that is sent to a child, in bytes. It needs room for the text as well.
    pub(super) fn input(&self) -> u64 {
        self.memory / 2
    }

    /// Whole seconds of processor time.
    pub(super) fn cpu_seconds(&self) -> u64 {
        self.cpu.as_secs().max(1)
    }

    /// A child that has held more than this is replaced: memory that a library keeps, or a heap in pieces, is then no
    /// burden on the next document.
    pub(super) fn worn_out(&self) -> u64 {
        self.memory / 4
    }
}

/// `512 MB`, as an error says it.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / MIB)
}
