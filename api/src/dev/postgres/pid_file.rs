//! `postmaster.pid`, by which a running Postgres says who and how far it is.

use std::fs;
use std::path::Path;

/// What we read of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    /// It takes connections.
    pub(super) ready: bool,
}

impl PidFile {
    /// The file in a cluster; `None` if there is none or it is cut off.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(cluster.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        // pid, data directory, start time, port, socket directory, address, shared memory, status
        let pid = lines.next()?.trim().parse().ok()?;
        Some(Self {
            pid,
            ready: lines.nth(6).is_some_and(|status| status.trim() == "ready"),
        })
    }

    /// Whether a process of that number is alive, whatever it is.
    pub(super) fn is_alive(&self) -> bool {
        Path::new("/proc").join(self.pid.to_string()).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pid_and_status() {
        let text = "4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  5120  3\nready   \n";
        assert_eq!(
            PidFile::parse(text),
            Some(PidFile {
                pid: 4711,
                ready: true
            })
        );
        assert_eq!(
            PidFile::parse(&text.replace("ready", "starting")),
            Some(PidFile {
                pid: 4711,
                ready: false
            })
        );
        assert_eq!(
            PidFile::parse("4711\n/data\n"),
            Some(PidFile {
                pid: 4711,
                ready: false
            })
        );
        assert_eq!(PidFile::parse(""), None);
    }
}
