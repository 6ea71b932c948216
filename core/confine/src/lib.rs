//! Child processes that can harm nobody: what a child gives up before it looks at what tenants sent, and cannot get back.
//!
//! Three layers, each of which holds without the others:
//! * resource limits: memory, stack, processor time, files, no core dump;
//! * a seccomp filter: no network, no program, no new process, nothing written or changed in any file system;
//! * Landlock rules: no file can be read but those that are named. Kernels before 5.13 have none.
//!
//! Parsers and tenants' models run so. Besides: how such a child is spoken to ([`frame`]), how it ends with its parent
//! ([`end_with_parent`]), and what it must not be able to do, tried from inside ([`attempts`]).

mod attempt;
mod files;
pub mod frame;
mod parent;
mod resources;
mod status;
mod syscalls;

use std::io;
use std::path::PathBuf;

pub use attempt::{Attempt, attempts};
pub use files::FileRules;
pub use parent::end_with_parent;
pub use resources::renew_cpu;
pub use status::{Memory, memory};

/// What a child keeps.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Memory that it may fill, in bytes: heap, private writable mappings, stacks of threads.
    pub data: u64,
    /// Stack of its main thread, in bytes.
    pub stack: u64,
    /// Processor time until it is renewed, in whole seconds.
    pub cpu_seconds: u64,
    /// Files and folders that it may read.
    pub readable: Vec<PathBuf>,
}

/// What the dynamic linker reads when a library is loaded.
pub const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"];

/// Confines this process for good.
///
/// # Errors
/// When it has a second thread already, or the kernel refuses.
pub fn confine(bounds: &Bounds) -> io::Result<FileRules> {
    // Landlock binds the calling thread and those that it starts, so nobody may be there before.
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other(
            "a process with several threads cannot be confined",
        ));
    }
    resources::limit(bounds)?;
    rustix::thread::set_no_new_privs(true)?;
    let rules = files::restrict(&bounds.readable);
    syscalls::forbid().map_err(|error| io::Error::other(format!("no seccomp filter: {error}")))?;
    Ok(rules)
}
