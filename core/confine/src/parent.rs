//! A child's end with its parent.

use std::fs::File;
use std::io;

use rustix::event::{PollFd, PollFlags, poll};

/// Dies with the parent, also in the middle of its work. Waits for the other end of the pipe `input` to be closed, which the
/// kernel does however the parent ends. (`PR_SET_PDEATHSIG` would strike when the *thread* that started us ends.)
///
/// # Errors
/// When no thread can be started.
pub fn end_with_parent(input: File) -> io::Result<()> {
    std::thread::Builder::new()
        .name("parent".into())
        .stack_size(128 * 1024)
        .spawn(move || {
            loop {
                let mut watched = [PollFd::new(&input, PollFlags::empty())];
                let polled = poll(&mut watched, None);
                let gone = watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR);
                if gone || polled.is_err_and(|error| error != rustix::io::Errno::INTR) {
                    // Not `exit`: it would run the libraries' destructors beside a thread that uses them.
                    std::process::abort();
                }
            }
        })
        .map(drop)
}
