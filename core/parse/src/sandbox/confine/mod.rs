//! What a child gives up before it looks at a document, and cannot get back.
//!
//! Three layers, each of which holds without the others:
//! * resource limits: memory, stack, processor time, files, no core dump;
//! * a seccomp filter: no network, no program, no new process, nothing written or changed in any file system;
//! * Landlock rules: no file can be read but pdfium and the libraries that it loads. Kernels before 5.13 have none.

mod files;
mod resources;
mod syscalls;

use std::io;

use super::Limits;
use crate::Tools;

pub use files::FileRules;
pub(super) use resources::renew_cpu;

/// Confines this process for good.
pub(super) fn confine(limits: &Limits, tools: &Tools) -> io::Result<FileRules> {
    // Landlock binds the calling thread and those that it starts, so nobody may be there before.
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other(
            "a process with several threads cannot be confined",
        ));
    }
    resources::limit(limits)?;
    rustix::thread::set_no_new_privs(true)?;
    let rules = files::restrict(tools);
    syscalls::forbid().map_err(|error| io::Error::other(format!("no seccomp filter: {error}")))?;
    Ok(rules)
}
