//! Servers that a killed Insula left running, and what they leave on disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::cluster::Cluster;
use super::pid_file::PidFile;

const POLL: Duration = Duration::from_millis(50);

/// Ends every process that still works on the cluster and removes a pid file that would keep a new server away.
///
/// The caller holds the lock of the data folder, so no living Insula needs them.
pub(super) async fn clear(cluster: &Cluster) -> Result<()> {
    let data = cluster.data();
    if !processes_in(&data).is_empty() {
        tracing::info!(data = %data.display(), "stopping the Postgres that a killed server left running");
        for (mode, patience) in [("fast", 30), ("immediate", 10)] {
            // Without a postmaster its children notice and leave by themselves.
            cluster.signal_stop(mode).await;
            if are_gone_within(&data, Duration::from_secs(patience)).await {
                break;
            }
        }
        for process in processes_in(&data) {
            let mut kill = cluster.tool("pg_ctl");
            kill.args(["kill", "KILL", &process.to_string()]);
            Command::from(kill)
                .output()
                .await
                .context("running pg_ctl kill")?;
        }
        if !are_gone_within(&data, Duration::from_secs(5)).await {
            bail!("a former Postgres on {} cannot be stopped", data.display());
        }
    }
    // Postgres clears a pid file itself, unless it is cut off or the number now belongs to somebody else.
    let pid_file = data.join("postmaster.pid");
    if pid_file.exists() && PidFile::read(&data).is_none_or(|file| file.is_alive()) {
        fs::remove_file(&pid_file).with_context(|| format!("removing {}", pid_file.display()))?;
    }
    Ok(())
}

/// Processes of Postgres on a cluster.
pub(super) fn processes_in(cluster: &Path) -> Vec<u32> {
    let (Ok(cluster), Ok(processes)) = (fs::canonicalize(cluster), fs::read_dir("/proc")) else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| works_in(&cluster, &Path::new("/proc").join(pid.to_string())))
        .collect()
}

/// All of them have it as their working directory. Root in a container may not see that of others; it does see the
/// arguments, in which at least the postmaster names it.
fn works_in(cluster: &Path, process: &Path) -> bool {
    fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == cluster)
        || fs::read(process.join("cmdline")).is_ok_and(|line| is_postmaster_of(cluster, &line))
}

fn is_postmaster_of(cluster: &Path, command_line: &[u8]) -> bool {
    let mut arguments = command_line.split(|byte| *byte == 0);
    arguments
        .next()
        .is_some_and(|program| program.ends_with(b"/postgres"))
        && arguments.next() == Some(b"-D")
        && arguments.next() == Some(cluster.as_os_str().as_encoded_bytes())
}

async fn are_gone_within(cluster: &Path, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while !processes_in(cluster).is_empty() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(POLL).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_postmaster_of_a_cluster_by_its_arguments() {
        let is_ours = |line: &[u8]| is_postmaster_of(Path::new("/data/cluster"), line);
        assert!(is_ours(b"/opt/bin/postgres\0-D\0/data/cluster\0-p\x005433\0"));
        assert!(!is_ours(b"/opt/bin/postgres\0-D\0/data/cluster2\0-p\x005433\0"));
        assert!(!is_ours(b"/usr/bin/vim\0-D\0/data/cluster\0"));
        assert!(!is_ours(b""));
    }

    #[test]
    fn finds_processes_by_their_working_directory() {
        let own = std::env::current_dir().unwrap();
        assert!(processes_in(&own).contains(&std::process::id()));
        assert!(!processes_in(Path::new("/proc")).contains(&std::process::id()));
    }
}
