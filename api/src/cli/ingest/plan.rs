//! What is to be done, from what is on disk and what is in the store. Nothing here reads or sends.

use std::collections::HashMap;
use std::path::Path;

use super::disk::{LocalFile, Root};
use super::remote::{Status, StoreFile};

/// What is to be done, in the order in which it is.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One for each file on disk.
    pub(super) steps: Vec<Step>,
    /// Files of the store that are gone from disk, and are to be removed.
    pub(super) gone: Vec<Gone>,
}

/// What is to be done about a file on disk.
#[derive(Debug)]
pub(super) struct Step {
    /// The file.
    pub(super) file: LocalFile,
    /// How it becomes searchable.
    pub(super) action: Action,
    /// Ids of what the store has under the same path; to be removed when the file is searchable. The first is the
    /// version that is found until then, if there is any.
    pub(super) superseded: Vec<String>,
}

/// How a file becomes searchable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// It is.
    Skip,
    /// The server is reading it.
    Wait {
        /// The file in the store.
        id: String,
        /// When it was attached, in Unix seconds.
        created_at: i64,
    },
    /// The server has its bytes, and has failed to read them before.
    Attach {
        /// The file in the store.
        id: String,
    },
    /// The server does not have its bytes.
    Upload,
}

/// A file of the store that is gone from disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone {
    /// The file in the store.
    pub(super) id: String,
    /// What it is called there.
    pub(super) path: String,
}

impl Plan {
    /// Compares. `deletes` are the folders below which files that are gone are to be removed; `is_gone` looks.
    pub(super) fn new(
        local: Vec<LocalFile>,
        store: Vec<StoreFile>,
        deletes: &[Root],
        is_gone: impl Fn(&Path) -> bool,
    ) -> Self {
        let mut by_path: HashMap<String, Vec<StoreFile>> = HashMap::new();
        for file in store {
            // What has no path and hash was put there by somebody else.
            if let (Some(path), Some(_)) = (file.attribute("path"), file.attribute("sha256")) {
                by_path.entry(path.to_owned()).or_default().push(file);
            }
        }
        let steps = local
            .into_iter()
            .map(|file| {
                let versions = by_path.remove(&file.path).unwrap_or_default();
                Step::new(file, versions)
            })
            .collect();
        let mut gone: Vec<Gone> = by_path
            .into_iter()
            .filter(|(path, _)| {
                deletes
                    .iter()
                    .filter_map(|root| root.locate(path))
                    .any(|full| is_gone(&full))
            })
            .flat_map(|(path, versions)| {
                versions.into_iter().map(move |file| Gone {
                    id: file.id,
                    path: path.clone(),
                })
            })
            .collect();
        gone.sort_unstable_by(|a, b| (&a.path, &a.id).cmp(&(&b.path, &b.id)));
        Self { steps, gone }
    }

    /// How many files are searchable already.
    pub(super) fn skipped(&self) -> u64 {
        self.steps
            .iter()
            .filter(|step| step.action == Action::Skip)
            .count() as u64
    }

    /// Bytes to be sent.
    pub(super) fn upload_bytes(&self) -> u64 {
        let uploads = self.steps.iter().filter(|step| step.action == Action::Upload);
        uploads.map(|step| step.file.bytes).sum()
    }
}

impl Step {
    /// `versions` are the files of the store with the same path.
    fn new(file: LocalFile, mut versions: Vec<StoreFile>) -> Self {
        versions.sort_by_key(|version| match version.status {
            Status::Completed => 0,
            Status::InProgress => 1,
            Status::Failed | Status::Cancelled => 2,
        });
        let same = versions
            .iter()
            .position(|version| version.attribute("sha256") == Some(&file.sha256))
            .map(|index| versions.remove(index));
        let action = match same {
            None => Action::Upload,
            Some(StoreFile {
                status: Status::Completed,
                ..
            }) => Action::Skip,
            Some(StoreFile {
                id,
                created_at,
                status: Status::InProgress,
                ..
            }) => Action::Wait { id, created_at },
            Some(StoreFile { id, .. }) => Action::Attach { id },
        };
        Self {
            file,
            action,
            superseded: versions.into_iter().map(|version| version.id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn local(path: &str, sha256: &str) -> LocalFile {
        LocalFile {
            path: path.into(),
            full: path.into(),
            bytes: 10,
            modified: 1,
            sha256: sha256.into(),
        }
    }

    fn stored(id: &str, path: &str, sha256: &str, status: &str) -> StoreFile {
        let file = json!({
            "id": id, "status": status, "created_at": 7, "last_error": null,
            "attributes": {"path": path, "sha256": sha256, "mtime": 1},
        });
        serde_json::from_value(file).unwrap()
    }

    fn only_step(sha256: &str, store: Vec<StoreFile>) -> (Action, Vec<String>) {
        let mut plan = Plan::new(vec![local("a.md", sha256)], store, &[], |_| true);
        assert_eq!((plan.steps.len(), plan.gone.len()), (1, 0));
        let step = plan.steps.remove(0);
        (step.action, step.superseded)
    }

    #[test]
    fn a_file_is_sent_only_when_the_store_has_other_bytes_or_none() {
        for (store, action, superseded) in [
            (vec![], Action::Upload, vec![]),
            (
                vec![stored("f1", "a.md", "new", "completed")],
                Action::Skip,
                vec![],
            ),
            (
                vec![stored("f1", "a.md", "new", "in_progress")],
                Action::Wait {
                    id: "f1".into(),
                    created_at: 7,
                },
                vec![],
            ),
            (
                vec![stored("f1", "a.md", "new", "failed")],
                Action::Attach { id: "f1".into() },
                vec![],
            ),
            (
                vec![stored("f1", "a.md", "new", "cancelled")],
                Action::Attach { id: "f1".into() },
                vec![],
            ),
            (
                vec![stored("f1", "a.md", "old", "completed")],
                Action::Upload,
                vec!["f1"],
            ),
            (
                vec![stored("f1", "b.md", "new", "completed")],
                Action::Upload,
                vec![],
            ),
        ] {
            let (planned, replaced) = only_step("new", store);
            assert_eq!(
                (planned, replaced),
                (action, superseded.into_iter().map(str::to_owned).collect())
            );
        }
    }

    #[test]
    fn leftovers_of_runs_that_were_stopped_are_superseded_the_searchable_one_first() {
        let store = vec![
            stored("failed", "a.md", "x", "failed"),
            stored("found", "a.md", "y", "completed"),
            stored("current", "a.md", "new", "in_progress"),
        ];
        let (action, superseded) = only_step("new", store);
        assert_eq!(
            action,
            Action::Wait {
                id: "current".into(),
                created_at: 7
            }
        );
        assert_eq!(superseded, ["found", "failed"]);
        let twice = vec![
            stored("f1", "a.md", "new", "failed"),
            stored("f2", "a.md", "new", "completed"),
        ];
        assert_eq!(only_step("new", twice), (Action::Skip, vec!["f1".into()]));
    }

    #[test]
    fn only_files_that_were_ingested_from_these_folders_and_are_gone_are_removed() {
        let store = || {
            let mut foreign: StoreFile = stored("f5", "docs/foreign.md", "x", "completed");
            foreign.attributes.remove("sha256");
            vec![
                stored("f1", "docs/gone.md", "x", "completed"),
                stored("f2", "docs/hidden-now.md", "x", "completed"),
                stored("f3", "other/gone.md", "x", "completed"),
                stored("f4", "docs/a.md", "x", "completed"),
                foreign,
            ]
        };
        let docs = Root {
            path: "docs".into(),
            full: "/srv/docs".into(),
        };
        let is_gone = |path: &Path| path != Path::new("/srv/docs/hidden-now.md");
        let plan = Plan::new(vec![local("docs/a.md", "x")], store(), &[docs], is_gone);
        let gone = Gone {
            id: "f1".into(),
            path: "docs/gone.md".into(),
        };
        assert_eq!(plan.gone, [gone]);
        assert_eq!(plan.skipped(), 1);
        assert!(Plan::new(Vec::new(), store(), &[], is_gone).gone.is_empty());
    }

    #[test]
    fn what_is_to_be_sent_is_counted() {
        let files = vec![local("a.md", "x"), local("b.md", "y")];
        let plan = Plan::new(files, vec![stored("f1", "a.md", "x", "completed")], &[], |_| true);
        assert_eq!((plan.upload_bytes(), plan.skipped()), (10, 1));
    }
}
