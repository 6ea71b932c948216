//! The files on disk: which there are, what they are called in the store, and what they hold.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use ignore::{DirEntry, WalkBuilder};
use sha2::{Digest, Sha256};

use super::report::FailedFile;

/// Longest text of an attribute, in characters. A path is kept as one.
const LONGEST_PATH: usize = 512;

/// A file to be ingested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalFile {
    /// What it is called in the store: its path below the base, with `/`.
    pub(super) path: String,
    /// Where it is.
    pub(super) full: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
    /// When it was last changed, in Unix seconds.
    pub(super) modified: i64,
    /// The hash of its bytes; empty until it is read by [`LocalFile::read`].
    pub(super) sha256: String,
}

/// One of the paths that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// What it is called in the store; empty if it is the base itself.
    pub(super) path: String,
    /// Where it is.
    pub(super) full: PathBuf,
}

impl Root {
    /// Where a file of the store was, if it came from below here.
    pub(super) fn locate(&self, path: &str) -> Option<PathBuf> {
        if path == self.path {
            return Some(self.full.clone());
        }
        let below = match self.path.as_str() {
            "" => path,
            prefix => path.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        // A store's attributes are not to be trusted to stay below the folder.
        let plain = Path::new(below)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        plain.then(|| self.full.join(below))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By path.
    pub(super) files: Vec<LocalFile>,
    /// The paths that were asked for.
    pub(super) roots: Vec<Root>,
    /// What cannot be ingested.
    pub(super) failed: Vec<FailedFile>,
}

/// Finds all files below `paths`; symbolic links are not followed. Without `all`, hidden files and those that
/// `.gitignore` and `.ignore` name are left out.
///
/// A file is called by its path below `base`; without one, by the name of the path that was asked for and what follows
/// it, wherever that is and however it was written.
///
/// # Errors
/// For a path that is not there or not below `base`, and for two files that would be called the same.
pub(super) fn find(paths: &[PathBuf], base: Option<&Path>, all: bool) -> Result<Found> {
    let base = base.map(canonical).transpose()?;
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for path in paths {
        let full = canonical(path)?;
        let base = base.as_deref().or(full.parent()).unwrap_or(&full);
        let Ok(below) = full.strip_prefix(base) else {
            bail!("{} is not below {}", path.display(), base.display());
        };
        let name = store_path(below).map_err(|reason| anyhow::anyhow!("{}: {reason}", path.display()))?;
        found.roots.push(Root {
            path: name,
            full: full.clone(),
        });
        for entry in walk(&full, all) {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    if seen.insert(entry.path().to_owned()) {
                        found.add(base, &entry);
                    }
                }
                Ok(_) => {}
                Err(error) => found.failed.push(FailedFile::unreadable(&full, &error)),
            }
        }
    }
    found.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.refuse_doubles()?;
    Ok(found)
}

fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| path.display().to_string())
}

fn walk(root: &Path, all: bool) -> ignore::Walk {
    WalkBuilder::new(root)
        .standard_filters(!all)
        // The same files on every machine, whoever calls, and without a repository around them.
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .build()
}

impl Found {
    fn add(&mut self, base: &Path, entry: &DirEntry) {
        let full = entry.path();
        let below = full.strip_prefix(base).unwrap_or(full);
        let described = store_path(below)
            .map_err(anyhow::Error::msg)
            .and_then(|path| Ok((path, entry.metadata()?)));
        match described {
            Ok((path, metadata)) => self.files.push(LocalFile {
                path,
                full: full.to_owned(),
                bytes: metadata.len(),
                modified: modified(&metadata),
                sha256: String::new(),
            }),
            Err(error) => self.failed.push(FailedFile::unreadable(below, &error)),
        }
    }

    fn refuse_doubles(&self) -> Result<()> {
        let mut named: HashMap<&str, &Path> = HashMap::new();
        for file in &self.files {
            if let Some(other) = named.insert(&file.path, &file.full) {
                bail!(
                    "{} and {} would both be called '{}'; name a folder above both with --base",
                    other.display(),
                    file.full.display(),
                    file.path
                );
            }
        }
        Ok(())
    }
}

/// A path as an attribute.
fn store_path(below: &Path) -> Result<String, &'static str> {
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    let path = parts.ok_or("its name is not UTF-8")?.join("/");
    if path.chars().count() > LONGEST_PATH {
        return Err("its path has more than 512 characters");
    }
    Ok(path)
}

fn modified(metadata: &std::fs::Metadata) -> i64 {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0)
}

impl LocalFile {
    /// Reads it, to know what it holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(mut self) -> Result<Self, FailedFile> {
        match hash(&self.full) {
            Ok((sha256, bytes)) => {
                self.sha256 = sha256;
                self.bytes = bytes;
                Ok(self)
            }
            Err(error) => Err(FailedFile::unreadable(Path::new(&self.path), &error)),
        }
    }
}

/// SHA-256 in hex, and the number of bytes that it is of.
fn hash(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex(hasher), bytes)),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// The hash in hex.
pub(super) fn hex(hasher: Sha256) -> String {
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files that hold their own names.
    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let full = folder.path().join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, path).unwrap();
        }
        folder
    }

    fn names(found: &Found) -> Vec<&str> {
        found.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn hidden_and_ignored_files_are_left_out_unless_all_are_wanted() {
        let tree = tree(&["docs/a.md", "docs/.secret", "docs/b.log", "docs/sub/c.md"]);
        std::fs::write(tree.path().join("docs/.gitignore"), "*.log\n").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", tree.path().join("docs/link")).unwrap();
        let docs = [tree.path().join("docs")];
        assert_eq!(
            names(&find(&docs, None, false).unwrap()),
            ["docs/a.md", "docs/sub/c.md"]
        );
        assert_eq!(
            names(&find(&docs, None, true).unwrap()),
            [
                "docs/.gitignore",
                "docs/.secret",
                "docs/a.md",
                "docs/b.log",
                "docs/sub/c.md"
            ]
        );
    }

    #[test]
    fn names_depend_on_the_base_and_not_on_how_a_path_is_written() {
        let tree = tree(&["docs/sub/c.md"]);
        let names_of = |path: &str, base: Option<&str>| {
            let base = base.map(|base| tree.path().join(base));
            let found = find(&[tree.path().join(path)], base.as_deref(), false)?;
            anyhow::Ok(names(&found).join(" "))
        };
        assert_eq!(names_of("docs", None).unwrap(), "docs/sub/c.md");
        assert_eq!(names_of("docs/sub/../", None).unwrap(), "docs/sub/c.md");
        assert_eq!(names_of("docs/sub/c.md", None).unwrap(), "c.md");
        assert_eq!(names_of("docs/sub/c.md", Some("docs")).unwrap(), "sub/c.md");
        assert_eq!(names_of("docs", Some("docs")).unwrap(), "sub/c.md");
        assert!(
            names_of("docs", Some("docs/sub"))
                .unwrap_err()
                .to_string()
                .contains("not below")
        );
        assert!(names_of("nothing", None).is_err());
    }

    #[test]
    fn a_file_is_taken_once_and_two_files_never_share_a_name() {
        let tree = tree(&["a/docs/x.md", "b/docs/x.md"]);
        let path = |name: &str| tree.path().join(name);
        let once = find(&[path("a"), path("a/docs"), path("a/docs/x.md")], None, false).unwrap();
        assert_eq!(names(&once), ["a/docs/x.md"]);
        let both = [path("a/docs"), path("b/docs")];
        let error = find(&both, None, false).unwrap_err().to_string();
        assert!(
            error.contains("'docs/x.md'") && error.contains("--base"),
            "{error}"
        );
        let apart = find(&both, Some(tree.path()), false).unwrap();
        assert_eq!(names(&apart), ["a/docs/x.md", "b/docs/x.md"]);
    }

    #[test]
    fn paths_that_no_attribute_can_hold_fail_alone() {
        use std::os::unix::ffi::OsStrExt;
        let tree = tree(&["a.md"]);
        let deep = ["d"; 3].map(|part| part.repeat(200)).join("/");
        std::fs::create_dir_all(tree.path().join(&deep)).unwrap();
        std::fs::write(tree.path().join(&deep).join("x"), "").unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"caf\xe9");
        std::fs::write(tree.path().join(odd), "").unwrap();
        let found = find(&[tree.path().to_owned()], Some(tree.path()), false).unwrap();
        assert_eq!(names(&found), ["a.md"]);
        let mut reasons: Vec<_> = found
            .failed
            .iter()
            .map(|failed| failed.message.as_str())
            .collect();
        reasons.sort_unstable();
        assert_eq!(
            reasons,
            ["its name is not UTF-8", "its path has more than 512 characters"]
        );
    }

    #[test]
    fn reading_tells_what_a_file_holds() {
        let tree = tree(&["abc"]);
        let found = find(&[tree.path().join("abc")], None, false).unwrap();
        let file = found.files[0].clone().read().unwrap();
        assert_eq!(file.bytes, 3);
        assert_eq!(
            file.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        std::fs::remove_file(&file.full).unwrap();
        assert_eq!(file.read().unwrap_err().path, "abc");
    }

    #[test]
    fn a_root_finds_its_own_files_again_and_no_others() {
        let root = Root {
            path: "docs".into(),
            full: "/srv/docs".into(),
        };
        let at = |path| root.locate(path).map(|path| path.display().to_string());
        assert_eq!(at("docs/a/b.md").as_deref(), Some("/srv/docs/a/b.md"));
        assert_eq!(at("docs").as_deref(), Some("/srv/docs"));
        for foreign in ["docs2/a.md", "other", "docs/../../etc/passwd", "docs//etc/passwd"] {
            assert_eq!(at(foreign), None, "{foreign}");
        }
        let everything = Root {
            path: String::new(),
            full: "/srv".into(),
        };
        assert_eq!(everything.locate("a.md"), Some("/srv/a.md".into()));
    }
}
