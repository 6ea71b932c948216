//! Why a document was the end of a child.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use insula_core::ingest::{ParseError, ParseErrorCode};

use super::Limits;
use super::limits::megabytes;

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Death {
    /// No more processor time.
    Cpu,
    /// We ended it: time was up.
    Wall,
    /// No more memory.
    Memory,
    /// No more stack.
    Stack,
    /// Somebody else ended it: an operator, or a machine that had no memory left.
    Killed(i32),
    /// It crashed, or what it said made no sense.
    Crashed(String),
}

impl Death {
    /// What its end tells: the status, its last words, and the most memory that it was seen to hold.
    pub(super) fn of(status: ExitStatus, last_words: &str, data: u64, limits: &Limits) -> Self {
        // Also when the status is another: it could not say what stopped it.
        let out_of_memory = [
            "memory allocation of",
            "bad_alloc",
            "out of memory",
            "Out of memory",
        ];
        if out_of_memory.iter().any(|words| last_words.contains(words)) {
            return Self::Memory;
        }
        if last_words.contains("has overflowed its stack") {
            return Self::Stack;
        }
        match status.signal() {
            Some(libc::SIGXCPU) => Self::Cpu,
            Some(signal @ (libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT)) => {
                Self::Killed(signal)
            }
            // Libraries in C++ that are refused memory trap without a word.
            Some(_) if data > limits.data() / 4 * 3 => Self::Memory,
            Some(signal) => Self::Crashed(format!("signal {signal}")),
            None => Self::Crashed(format!("{status}")),
        }
    }

    /// Whether another child may fare better. A limit is a limit, but a crash may be an accident; and memory may have been
    /// taken by earlier documents.
    pub(super) fn is_worth_another_child(&self, was_new: bool) -> bool {
        match self {
            Self::Cpu | Self::Wall | Self::Stack => false,
            Self::Memory => !was_new,
            Self::Killed(_) | Self::Crashed(_) => true,
        }
    }

    /// What the tenant is told.
    pub(super) fn error(&self, limits: &Limits) -> ParseError {
        let invalid = |message: String| ParseError {
            code: ParseErrorCode::InvalidFile,
            message,
        };
        match self {
            Self::Cpu => invalid(format!(
                "Reading this file took more processor time than allowed ({} s).",
                limits.cpu_seconds()
            )),
            Self::Wall => invalid(format!(
                "Reading this file took longer than allowed ({} s).",
                limits.wall.as_secs_f64()
            )),
            Self::Memory => invalid(format!(
                "Reading this file took more memory than allowed ({}).",
                megabytes(limits.memory)
            )),
            Self::Stack => invalid("The file is nested too deeply to be read.".into()),
            Self::Crashed(_) => invalid(format!(
                "The parser crashed on this file. It is damaged, or needs more memory than allowed ({}).",
                megabytes(limits.memory)
            )),
            Self::Killed(signal) => ParseError {
                code: ParseErrorCode::ServerError,
                message: format!(
                    "The parser was killed from outside (signal {signal}); is the machine out of memory?"
                ),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_from_status_words_and_memory() {
        let limits = Limits::default();
        let full = limits.data() - 1;
        let of = |raw, words, data| Death::of(ExitStatus::from_raw(raw), words, data, &limits);
        assert_eq!(of(libc::SIGXCPU, "", full), Death::Cpu);
        assert_eq!(
            of(libc::SIGABRT, "memory allocation of 9 bytes failed", 0),
            Death::Memory
        );
        assert_eq!(of(libc::SIGTRAP, "", full), Death::Memory);
        assert_eq!(
            of(libc::SIGABRT, "thread 'main' has overflowed its stack", 0),
            Death::Stack
        );
        assert_eq!(of(libc::SIGKILL, "", 0), Death::Killed(libc::SIGKILL));
        assert!(matches!(of(libc::SIGSEGV, "", 0), Death::Crashed(_)));
        // An orderly end in the middle of a document is none.
        assert!(matches!(of(0, "", full), Death::Crashed(_)));
    }
}
