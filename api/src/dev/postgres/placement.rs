//! Where Postgres and its data lie on disk.
//!
//! Normally where the caller says. But the unprivileged account that root lends to Postgres cannot enter a clone
//! below `/root` or a private temporary folder; then the install is copied and the data kept below `/var/lib/insula`.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::account::Account;

const ELSEWHERE: &str = "/var/lib/insula";
/// In the caller's data folder: says that its database lies elsewhere, and where.
const MOVED: &str = "moved";
/// Written by the bootstrap beside what it installs; differs between versions.
const STAMP: &str = ".stamp.json";

/// The folders of one embedded Postgres and the account that it runs as.
#[derive(Debug)]
pub(super) struct Placement {
    /// Holds `bin`, `lib` and `share`.
    pub(super) install: PathBuf,
    /// Holds the cluster, its password, port and log.
    pub(super) home: PathBuf,
    /// `None`: as ourselves.
    pub(super) account: Option<Account>,
}

impl Placement {
    /// Decides where things lie, changing nothing. `data` must exist.
    pub(super) fn find(install: &Path, data: &Path) -> Result<Self> {
        let (install, data) = (resolve(install)?, resolve(data)?);
        let Some(account) = Account::for_cluster(&data.join(super::CLUSTER))? else {
            return Ok(Self {
                install,
                home: data,
                account: None,
            });
        };
        let install = if account.blocked_at(&install).is_some() {
            elsewhere(&install, "postgres")
        } else {
            install
        };
        if account.blocked_at(&data).is_none() {
            return Ok(Self {
                install,
                home: data,
                account: Some(account),
            });
        }
        let home = elsewhere(&data, "data");
        let account = Account::for_cluster(&home.join(super::CLUSTER))?;
        Ok(Self {
            install,
            home,
            account,
        })
    }

    /// Whether a database lies elsewhere although the caller's folder knows nothing of it: somebody deleted that
    /// folder, and meant the database too.
    pub(super) fn is_orphaned(&self, data: &Path) -> Result<bool> {
        Ok(self.home != resolve(data)? && self.home.exists() && !data.join(MOVED).exists())
    }

    /// Makes the copy of `install`, where one is needed.
    pub(super) fn prepare_install(&self, install: &Path) -> Result<()> {
        let install = resolve(install)?;
        if self.install == install {
            Ok(())
        } else {
            copy_install(&install, &self.install)
        }
    }

    /// Makes the home, and tells of it where it is not the caller's folder.
    pub(super) fn prepare_home(&self, data: &Path) -> Result<()> {
        let data = resolve(data)?;
        if self.home == data {
            return Ok(());
        }
        make_open_dir(&self.home)?;
        fs::write(data.join(MOVED), self.home.as_os_str().as_encoded_bytes())
            .context("marking the data folder")?;
        tracing::info!(
            data = %data.display(), database = %self.home.display(),
            "an unprivileged user cannot enter the data folder: its database lies elsewhere"
        );
        Ok(())
    }

    /// Removes the database for good.
    pub(super) fn remove_home(&self) -> Result<()> {
        if self.home.exists() {
            fs::remove_dir_all(&self.home).with_context(|| format!("removing {}", self.home.display()))?;
        }
        if let Some(parent) = self.home.parent().filter(|parent| parent.starts_with(ELSEWHERE)) {
            // Fails, rightly, when something else lies there.
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

fn resolve(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("{} does not exist", path.display()))
}

/// A place below `/var/lib/insula` that belongs to `path` alone.
fn elsewhere(path: &Path, leaf: &str) -> PathBuf {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Path::new(ELSEWHERE).join(short).join(leaf)
}

/// Makes a folder and its parents such that everybody may pass, whatever the umask says.
pub(super) fn make_open_dir(path: &Path) -> Result<()> {
    let making = || format!("making {}", path.display());
    for folder in path
        .ancestors()
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .filter(|folder| !folder.exists())
    {
        fs::DirBuilder::new()
            .mode(0o755)
            .create(folder)
            .with_context(making)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).with_context(making)?;
    }
    Ok(())
}

/// Copies an install unless `to` is a copy of the same version. Several processes may want that at once; one makes it.
fn copy_install(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("no copy can be made at the root")?;
    make_open_dir(parent)?;
    let lock = File::create(parent.join("copying")).context("opening the lock of the copy of Postgres")?;
    lock.lock().context("locking the copy of Postgres")?;
    let stamp = |folder: &Path| fs::read(folder.join(STAMP)).ok();
    if to.exists() && stamp(to) == stamp(from) {
        return Ok(());
    }
    tracing::info!(from = %from.display(), to = %to.display(), "copying Postgres to where an unprivileged user may run it");
    let fresh = to.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).context("removing an unfinished copy of Postgres")?;
    }
    copy_tree(from, &fresh)?;
    if to.exists() {
        fs::remove_dir_all(to).context("removing the former copy of Postgres")?;
    }
    fs::rename(&fresh, to).with_context(|| format!("renaming to {}", to.display()))
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    make_open_dir(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("copying to {}", target.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_own_place_elsewhere_and_keeps_it() {
        let place = elsewhere(Path::new("/a/data"), "data");
        assert_eq!(place, elsewhere(Path::new("/a/data"), "data"));
        assert_ne!(place, elsewhere(Path::new("/b/data"), "data"));
        assert!(place.starts_with(ELSEWHERE) && place.ends_with("data"));
    }

    #[test]
    fn a_copy_is_renewed_when_the_stamp_changes_and_only_then() {
        let top = tempfile::tempdir().unwrap();
        let (from, to) = (top.path().join("from"), top.path().join("to/postgres"));
        fs::create_dir_all(from.join("bin")).unwrap();
        fs::write(from.join("bin/postgres"), "one").unwrap();
        fs::write(from.join(STAMP), "1").unwrap();
        copy_install(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("bin/postgres")).unwrap(), "one");

        fs::write(from.join("bin/postgres"), "two").unwrap();
        copy_install(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("bin/postgres")).unwrap(), "one");

        fs::write(from.join(STAMP), "2").unwrap();
        copy_install(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("bin/postgres")).unwrap(), "two");
    }
}
