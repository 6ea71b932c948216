//! Resource limits.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::Bounds;

/// Files open at once: pipes, libraries, what an asynchronous runtime needs.
const OPEN_FILES: u64 = 64;

/// Everything that is set once.
///
/// Memory is limited by `RLIMIT_DATA` and not by `RLIMIT_AS`: it counts what a process can really fill (heap, private
/// writable mappings, stacks of threads), and not the gigabytes that allocators only reserve. `RLIMIT_NPROC` counts all
/// processes of a user, so it could only hit others; the seccomp filter allows threads and no processes instead.
pub(super) fn limit(bounds: &Bounds) -> io::Result<()> {
    set(Resource::Data, bounds.data)?;
    set(Resource::Nofile, OPEN_FILES)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Core, 0)?;
    set(Resource::Memlock, 0)?;
    set(Resource::Stack, bounds.stack)?;
    renew_cpu(bounds.cpu_seconds)
}

/// Gives the process so many seconds of processor time again, for the next piece of work.
///
/// # Errors
/// When the kernel refuses.
pub fn renew_cpu(seconds: u64) -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    set_soft(Resource::Cpu, u64::try_from(used).unwrap_or(0) + seconds)
}

fn set(resource: Resource, value: u64) -> io::Result<()> {
    let maximum = below(getrlimit(resource).maximum, value);
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(maximum),
            maximum: Some(maximum),
        },
    )?)
}

fn set_soft(resource: Resource, value: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(below(maximum, value)),
            maximum,
        },
    )?)
}

/// What the machine's owner has limited further stays so.
fn below(maximum: Option<u64>, value: u64) -> u64 {
    maximum.map_or(value, |maximum| maximum.min(value))
}
