//! Resource limits.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::sandbox::Limits;

/// Files open at once: pipes, pdfium, what an asynchronous runtime needs.
const OPEN_FILES: u64 = 64;

/// Everything that is set once.
///
/// Memory is limited by `RLIMIT_DATA` and not by `RLIMIT_AS`: it counts what a process can really fill (heap, private
/// writable mappings, stacks of threads), and not the gigabytes that allocators only reserve. `RLIMIT_NPROC` counts all
/// processes of a user, so it could only hit others; the seccomp filter allows threads and no processes instead.
pub(super) fn limit(limits: &Limits) -> io::Result<()> {
    set(Resource::Data, limits.data())?;
    set(Resource::Nofile, OPEN_FILES)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Core, 0)?;
    set(Resource::Memlock, 0)?;
    set(Resource::Stack, Limits::MAIN_STACK)?;
    renew_cpu(limits)
}

/// Gives the process its processor time again, for the next document.
pub(in crate::sandbox) fn renew_cpu(limits: &Limits) -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec;
    set_soft(
        Resource::Cpu,
        u64::try_from(used).unwrap_or(0) + limits.cpu_seconds(),
    )
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
