//! Whom Postgres runs as: it refuses to run as root, so root lends it an unprivileged account.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A user and its primary group. Supplementary groups are given up with root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account to switch to before starting Postgres in `cluster`; `None` when we are unprivileged ourselves.
    ///
    /// A cluster that exists already keeps its owner, whoever made it.
    pub(super) fn for_cluster(cluster: &Path) -> Result<Option<Self>> {
        if fs::metadata("/proc/self").context("reading /proc/self")?.uid() != 0 {
            return Ok(None);
        }
        if let Ok(meta) = fs::metadata(cluster)
            && meta.uid() != 0
        {
            return Ok(Some(Self {
                uid: meta.uid(),
                gid: meta.gid(),
            }));
        }
        let passwd = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        ["postgres", "nobody"].iter().find_map(|name| Self::find(&passwd, name)).map(Some).context(
            "Postgres does not run as root, and /etc/passwd has neither `postgres` nor `nobody` to run it as: \
             start Insula as an ordinary user",
        )
    }

    /// An unprivileged account by name, in the format of `/etc/passwd`.
    fn find(passwd: &str, name: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            let mut ids = fields.skip(1).map(str::parse);
            let account = Self {
                uid: ids.next()?.ok()?,
                gid: ids.next()?.ok()?,
            };
            (account.uid != 0).then_some(account)
        })
    }

    /// The first folder on the way to and including `path` that this account may not pass, by its mode bits.
    /// Parts of `path` that do not exist block nobody.
    pub(super) fn blocked_at(self, path: &Path) -> Option<PathBuf> {
        let mut folders: Vec<&Path> = path.ancestors().collect();
        folders.reverse();
        folders
            .into_iter()
            .find(|folder| self.is_barred_from(folder))
            .map(Path::to_path_buf)
    }

    fn is_barred_from(self, folder: &Path) -> bool {
        let Ok(meta) = fs::metadata(folder) else {
            return false;
        };
        let search = if meta.uid() == self.uid {
            0o100
        } else if meta.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        meta.is_dir() && meta.mode() & search == 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nbroken line\npostgres:x:101:104:,,,:/:/bin/sh\nodd:x:1\n";

    #[test]
    fn finds_accounts_by_whole_name_and_never_root() {
        assert_eq!(
            Account::find(PASSWD, "postgres"),
            Some(Account { uid: 101, gid: 104 })
        );
        assert_eq!(Account::find(PASSWD, "root"), None);
        assert_eq!(Account::find(PASSWD, "odd"), None);
        assert_eq!(Account::find(PASSWD, "post"), None);
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn owner_group_and_others_each_need_their_own_bit() {
        let folder = tempfile::tempdir().unwrap();
        let meta = fs::metadata(folder.path()).unwrap();
        let owner = Account {
            uid: meta.uid(),
            gid: meta.gid(),
        };
        let group = Account {
            uid: meta.uid() + 1,
            gid: meta.gid(),
        };
        let other = Account {
            uid: meta.uid() + 1,
            gid: meta.gid() + 1,
        };
        for (mode, barred) in [
            (0o700, [false, true, true]),
            (0o710, [false, false, true]),
            (0o711, [false, false, false]),
            (0o677, [true, false, false]),
            (0o766, [false, true, true]),
        ] {
            set_mode(folder.path(), mode);
            let found = [owner, group, other].map(|account| account.is_barred_from(folder.path()));
            assert_eq!(found, barred, "{mode:o}");
        }
        assert!(!other.is_barred_from(&folder.path().join("absent")));
    }

    #[test]
    fn the_first_closed_folder_on_the_way_is_named() {
        let top = tempfile::tempdir().unwrap();
        let closed = top.path().join("closed");
        let inside = closed.join("inside");
        fs::create_dir_all(&inside).unwrap();
        let meta = fs::metadata(&inside).unwrap();
        let own = Account {
            uid: meta.uid(),
            gid: meta.gid(),
        };
        assert_eq!(own.blocked_at(&inside), None);
        set_mode(&inside, 0o600);
        assert_eq!(own.blocked_at(&inside), Some(inside.clone()));
        set_mode(&closed, 0o600);
        assert_eq!(own.blocked_at(&inside), Some(closed.clone()));
        set_mode(&closed, 0o700);
    }
}
