//! How much a model may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;

/// What a model may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLimits {
    /// Memory of its process in bytes, the model included.
    pub memory: u64,
    /// Time on the clock for a request; each thread may compute for as long.
    pub wall: Duration,
    /// Time on the clock until it is loaded.
    pub load: Duration,
    /// Threads that compute.
    pub threads: usize,
    /// Largest answer, all outputs together, in bytes.
    pub output: u64,
}

impl Default for ModelLimits {
    /// 2 GiB, 30 s for a request, 2 minutes to load, half the cores, 256 MiB of output.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory: 2048 * MIB,
            wall: Duration::from_secs(30),
            load: Duration::from_secs(120),
            threads: (cores / 2).max(1),
            output: 256 * MIB,
        }
    }
}

impl ModelLimits {
    /// Least memory that a model can work in, in bytes.
    pub const LEAST_MEMORY: u64 = 192 * MIB;

    /// The stack of the thread that runs the model, in bytes.
    pub(crate) const STACK: usize = 16 * 1024 * 1024;

    /// The main thread's stack, which only waits.
    pub(crate) const MAIN_STACK: u64 = 8 * MIB;

    /// Memory that `RLIMIT_DATA` does not see: the main stack, and pages of the program and of its libraries.
    const UNCOUNTED: u64 = Self::MAIN_STACK + 88 * MIB;

    /// What the child may allocate, in bytes.
    pub(crate) fn data(&self) -> u64 {
        self.memory.max(Self::LEAST_MEMORY) - Self::UNCOUNTED
    }

    /// Whole seconds of processor time for a request, of all threads.
    pub(crate) fn cpu_seconds(&self, wall: Duration) -> u64 {
        (wall.as_secs() + 1).saturating_mul(self.threads.max(1) as u64)
    }
}
