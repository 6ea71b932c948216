//! How much memory a child takes, as the kernel tells anybody who asks.

/// A child's memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What counts against its limit, now.
    pub data: u64,
    /// What is resident now.
    pub resident: u64,
    /// The most that was resident at once since it started.
    pub peak: u64,
}

/// The memory of a process; `None` when it is gone.
pub fn memory(process: u32) -> Option<Memory> {
    parse(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    };
    // A process that has ended and was not waited for has neither.
    Some(Memory {
        data: field("VmData")?,
        resident: field("VmRSS")?,
        peak: field("VmHWM")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let status = "Name:\tinsula\nVmHWM:\t   12000 kB\nVmRSS:\t   9000 kB\nVmData:\t     300 kB\n";
        let expected = Memory {
            data: 300 * 1024,
            resident: 9000 * 1024,
            peak: 12000 * 1024,
        };
        assert_eq!(parse(status), Some(expected));
        assert_eq!(parse("Name:\tinsula\nState:\tZ (zombie)\n"), None);
        let own = memory(std::process::id()).unwrap();
        assert!(own.peak > 1024 * 1024, "{own:?}");
    }
}
