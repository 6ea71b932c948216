//! Which files can be read.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, path_beneath_rules,
};
use serde::{Deserialize, Serialize};

/// How far the kernel keeps a child from reading files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileRules {
    /// All that we asked for.
    Enforced,
    /// Reading is refused; some newer rules, which the seccomp filter stands in for, are unknown to this kernel.
    OlderKernel,
    /// Not at all, for this reason. Writing is refused all the same.
    Missing(String),
}

/// The rules that we know, of Linux 6.15. Older kernels enforce those that they know.
const KNOWN: ABI = ABI::V7;

/// Forbids every file but these.
pub(super) fn restrict(readable: &[PathBuf]) -> FileRules {
    match try_restrict(readable) {
        Ok(RulesetStatus::FullyEnforced) => FileRules::Enforced,
        Ok(RulesetStatus::PartiallyEnforced) => FileRules::OlderKernel,
        Ok(RulesetStatus::NotEnforced) => FileRules::Missing("this kernel has no Landlock".into()),
        Err(error) => FileRules::Missing(error.to_string()),
    }
}

fn try_restrict(readable: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(
            readable,
            AccessFs::ReadFile | AccessFs::ReadDir,
        ))?
        .restrict_self()?;
    Ok(restricted.ruleset)
}
