//! What processes use, as the kernel counts it.

use std::time::Duration;

/// The kernel's unit of processor time in `/proc`, which Linux fixes for all programs.
const TICKS_PER_SECOND: u64 = 100;

/// A process whose use of processors is watched, alone or with all that descend from it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cpu {
    /// The process alone.
    Of(u32),
    /// Its descendants without itself.
    Below(u32),
}

impl Cpu {
    /// Processor time used so far. Children that have ended and were waited for are not counted.
    pub(super) fn used(&self) -> Duration {
        match *self {
            Self::Of(pid) => of(pid),
            Self::Below(pid) => children(pid)
                .into_iter()
                .map(|child| of(child) + Self::Below(child).used())
                .sum(),
        }
    }
}

fn of(pid: u32) -> Duration {
    let ticks = || -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    };
    Duration::from_millis(ticks().unwrap_or_default() * 1000 / TICKS_PER_SECOND)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
    let lists: Vec<String> = tasks.flatten().filter_map(of_task).collect();
    lists
        .iter()
        .flat_map(|list| list.split_whitespace())
        .filter_map(|pid| pid.parse().ok())
        .collect()
}
