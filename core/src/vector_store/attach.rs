//! Putting files into a store: one, or thousands in the same number of statements.

use std::collections::{HashMap, HashSet};

use insula_tenancy::{BatchId, FileId, TenantTx, VectorStoreId};

use super::attach_store::{self, Placed, Present};
use super::file::{self, NewStoreFile, StoreFile};
use super::version::Versions;
use super::{batch, check_attributes, ending, expired, file_store, locate, lock, not_found};
use crate::ingest::IngestFile;
use crate::{Error, Result, worker};

/// How a request names the files that it attaches: errors say which one in the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// One file, `file_id` and its values beside it.
    File,
    /// `file_ids`, with values that all of them share.
    FileIds,
    /// `files`, each with values of its own.
    Files,
}

impl Named {
    /// The error about file number `index`.
    fn place(self, index: usize, error: Error) -> Error {
        let of_the_id = matches!(&error, Error::NotFound { param: Some(param), .. } if param == "file_id");
        match self {
            Self::FileIds if of_the_id => error.about(format!("file_ids[{index}]")),
            Self::File | Self::FileIds => error,
            Self::Files => error.within(&format!("files[{index}]")),
        }
    }
}

/// Who turns the files into passages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A job, unless the file is in the store as it is wanted.
    Job,
    /// The caller, in the same transaction.
    Caller,
}

/// Attaches a file and enqueues its ingestion. A file that is in the store already gets the new attributes, and is read
/// again only if it failed, was cancelled, or is to be cut differently; until that is done, searches see what was read
/// before. A file that replaces another one takes its place at the moment when it can be searched itself.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or (param `file_id`, `replaces`) file; [`Error::Invalid`] for values out of
/// range, for a file that is being read with another chunking strategy, and for a store that has expired.
pub async fn attach(tx: &mut TenantTx, store_id: VectorStoreId, new: NewStoreFile) -> Result<StoreFile> {
    let file_id = new.file_id;
    attach_all(tx, store_id, None, &[new], Named::File).await?;
    file::get(tx, store_id, file_id).await
}

/// Attaches files as [`attach`] does, as members of a batch if there is one.
pub(super) async fn attach_all(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: Option<BatchId>,
    new: &[NewStoreFile],
    named: Named,
) -> Result<()> {
    place(tx, store_id, batch_id, new, named, Reader::Job).await
}

/// Makes room for passages that the caller writes next, in the same transaction. Whatever reads the file now is stopped.
pub(crate) async fn make_room(tx: &mut TenantTx, store_id: VectorStoreId, new: NewStoreFile) -> Result<()> {
    place(tx, store_id, None, &[new], Named::File, Reader::Caller).await
}

async fn place(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    batch_id: Option<BatchId>,
    new: &[NewStoreFile],
    named: Named,
    reader: Reader,
) -> Result<()> {
    for (index, file) in new.iter().enumerate() {
        let checked = check_attributes(&file.attributes).and_then(|()| file.chunking.check());
        checked.map_err(|error| named.place(index, error))?;
    }
    if !lock(tx, store_id).await? {
        return Err(not_found(store_id));
    }
    if locate(tx, store_id).await?.expired {
        return Err(expired());
    }
    let new = distinct(new, named)?;
    let ids: Vec<FileId> = new.iter().map(|(_, file)| file.file_id).collect();
    let known = attach_store::known(tx, &ids).await?;
    if let Some((index, file)) = new.iter().find(|(_, file)| !known.contains(&file.file_id)) {
        let error = crate::file::not_found(file.file_id).about("file_id");
        return Err(named.place(*index, error));
    }
    let present = attach_store::present(tx, store_id, &ids).await?;
    let mut versions = replacements(tx, store_id, &new, named).await?;

    let mut placed = Vec::with_capacity(new.len());
    for (index, file) in new {
        let read = to_be_read(present.get(&file.file_id), file, reader);
        let replaces = file
            .replaces
            .map(|old| versions.add(file.file_id, old))
            .transpose();
        let decided = read.and_then(|read| Ok((read, replaces?)));
        let (read, replaces) = decided.map_err(|error| named.place(index, error))?;
        placed.push(Placed { file, read, replaces });
    }
    let to_read: Vec<IngestFile> = placed
        .iter()
        .filter(|placed| placed.read)
        .map(|placed| IngestFile::new(store_id, placed.file.file_id))
        .collect();
    // Whoever has a file read takes it over from the batch that it was in; so a batch that is finished stays finished.
    let left: Vec<BatchId> = present.values().filter_map(|present| present.batch_id).collect();
    let (again, first): (Vec<_>, Vec<_>) = placed
        .iter()
        .partition(|placed| present.contains_key(&placed.file.file_id));
    attach_store::insert(tx, store_id, batch_id, &first).await?;
    attach_store::update(tx, store_id, batch_id, &again).await?;
    match reader {
        Reader::Job => worker::enqueue_many(tx, &to_read).await?,
        Reader::Caller => worker::cancel(tx, &to_read).await?,
    }
    for placed in again.iter().filter(|placed| placed.replaces.is_some()) {
        let status = present
            .get(&placed.file.file_id)
            .map(|present| present.status.as_str());
        if !placed.read && status == Some("completed") {
            ending::take_places(tx, store_id, placed.file.file_id).await?;
        }
    }
    batch::settle(tx, store_id, left).await?;
    file_store::touch(tx, store_id).await
}

/// Each file once, with its position. The same twice is once; one file with two sets of values is a mistake.
fn distinct(new: &[NewStoreFile], named: Named) -> Result<Vec<(usize, &NewStoreFile)>> {
    let mut seen: HashMap<FileId, &NewStoreFile> = HashMap::new();
    let mut kept = Vec::with_capacity(new.len());
    for (index, file) in new.iter().enumerate() {
        match seen.insert(file.file_id, file) {
            None => kept.push((index, file)),
            Some(first) if first == file => {}
            Some(_) => {
                let error = Error::invalid("file_id", "This file is named twice, with different values.");
                return Err(named.place(index, error));
            }
        }
    }
    Ok(kept)
}

/// The store's pending replacements, after a check that what is to be replaced is in the store.
async fn replacements(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    new: &[(usize, &NewStoreFile)],
    named: Named,
) -> Result<Versions> {
    let olds: Vec<FileId> = new.iter().filter_map(|(_, file)| file.replaces).collect();
    if olds.is_empty() {
        return Ok(Versions::default());
    }
    let mut members: HashSet<FileId> = attach_store::members(tx, store_id, &olds).await?;
    members.extend(new.iter().map(|(_, file)| file.file_id));
    for (index, file) in new {
        if let Some(old) = file.replaces
            && !members.contains(&old)
        {
            let error = Error::not_found("file in this vector store", old).about("replaces");
            return Err(named.place(*index, error));
        }
    }
    Ok(Versions::new(attach_store::replacements(tx, store_id).await?))
}

fn to_be_read(present: Option<&Present>, new: &NewStoreFile, reader: Reader) -> Result<bool> {
    let Some(present) = present else {
        return Ok(true);
    };
    let same_chunking = present.chunking() == new.chunking;
    match (reader, present.status.as_str()) {
        (Reader::Caller, _) => Ok(true),
        (Reader::Job, "completed") => Ok(!same_chunking),
        (Reader::Job, "in_progress") if same_chunking => Ok(false),
        (Reader::Job, "in_progress") => Err(Error::invalid(
            "chunking_strategy",
            "The file is being read with another chunking_strategy; try again when it is done.",
        )),
        (Reader::Job, _) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector_store::file::Chunking;

    fn new(file_id: FileId, max_tokens: i32) -> NewStoreFile {
        NewStoreFile {
            chunking: Chunking::Static {
                max_tokens,
                overlap_tokens: 0,
            },
            ..NewStoreFile::new(file_id)
        }
    }

    #[test]
    fn a_file_named_twice_is_one_unless_it_is_to_be_two_things() {
        let (one, two) = (FileId::generate(), FileId::generate());
        let files = [new(one, 100), new(two, 100), new(one, 100)];
        let kept: Vec<usize> = distinct(&files, Named::FileIds)
            .unwrap()
            .iter()
            .map(|(index, _)| *index)
            .collect();
        assert_eq!(kept, [0, 1]);
        let files = [new(one, 100), new(one, 200)];
        match distinct(&files, Named::Files) {
            Err(Error::Invalid { param, .. }) => assert_eq!(param.as_deref(), Some("files[1].file_id")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_are_about_the_place_in_the_request() {
        let unknown = || crate::file::not_found(FileId::generate()).about("file_id");
        let param = |named: Named, error| match named.place(3, error) {
            Error::NotFound { param, .. } | Error::Invalid { param, .. } => param.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(param(Named::File, unknown()), "file_id");
        assert_eq!(param(Named::FileIds, unknown()), "file_ids[3]");
        assert_eq!(param(Named::Files, unknown()), "files[3].file_id");
        let values = || Error::invalid("attributes.year", "…");
        assert_eq!(param(Named::FileIds, values()), "attributes.year");
        assert_eq!(param(Named::Files, values()), "files[3].attributes.year");
    }
}
