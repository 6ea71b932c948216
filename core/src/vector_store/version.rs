//! Which file takes the place of which.
//!
//! The versions of a document are a chain: each file is replaced by one other at most. A third version that comes while
//! the second is still being read waits behind the second, whichever of them it names. So the last one wins, in
//! whatever order they are read.

use std::collections::HashMap;

use insula_tenancy::FileId;

use crate::{Error, Result};

/// The replacements of a store that have not happened yet.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// From the new one to the old one.
    replaces: HashMap<FileId, FileId>,
    /// From the old one to the new one.
    replaced_by: HashMap<FileId, FileId>,
}

impl Versions {
    /// From pairs of a new file and the old one that it replaces.
    pub(super) fn new(pairs: impl IntoIterator<Item = (FileId, FileId)>) -> Self {
        let mut versions = Self::default();
        for (new, old) in pairs {
            versions.link(new, old);
        }
        versions
    }

    /// Lets `new` replace `old`, or the newest version that already waits to replace it. Whose place it takes.
    pub(super) fn add(&mut self, new: FileId, old: FileId) -> Result<FileId> {
        if new == old {
            return Err(Error::invalid("replaces", "A file cannot replace itself."));
        }
        let mut newest = old;
        while let Some(next) = self.replaced_by.get(&newest) {
            if *next == new {
                return Ok(newest);
            }
            newest = *next;
        }
        let mut version = Some(&newest);
        while let Some(older) = version {
            if *older == new {
                let message = "This file is itself about to be replaced by a newer version of it.";
                return Err(Error::invalid("replaces", message));
            }
            version = self.replaces.get(older);
        }
        if let Some(other) = self.replaces.get(&new) {
            let message = format!("This file is already about to replace '{other}'.");
            return Err(Error::invalid("replaces", message));
        }
        self.link(new, newest);
        Ok(newest)
    }

    fn link(&mut self, new: FileId, old: FileId) {
        self.replaces.insert(new, old);
        self.replaced_by.insert(old, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files<const N: usize>() -> [FileId; N] {
        std::array::from_fn(|_| FileId::generate())
    }

    #[test]
    fn the_last_version_waits_behind_all_others_whichever_it_names() {
        let [first, second, third, fourth] = files();
        let mut versions = Versions::default();
        assert_eq!(versions.add(second, first).unwrap(), first);
        assert_eq!(versions.add(third, first).unwrap(), second);
        assert_eq!(versions.add(fourth, second).unwrap(), third);
        // Said again, it is the same.
        assert_eq!(versions.add(third, first).unwrap(), second);
        assert_eq!(versions.add(third, second).unwrap(), second);
    }

    #[test]
    fn nobody_replaces_itself_in_any_number_of_steps() {
        let [first, second, third, other] = files();
        let mut versions = Versions::new([(second, first), (third, second)]);
        assert!(versions.add(first, first).is_err());
        assert!(versions.add(first, third).is_err());
        assert!(versions.add(first, second).is_err());
        assert!(versions.add(second, third).is_err());
        // Nor two documents at once.
        assert!(versions.add(third, other).is_err());
    }
}
