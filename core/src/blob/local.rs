//! Blobs on a local or shared disk.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use insula_tenancy::{TenantId, new_uuid};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{ABANDONED_AFTER, BlobStore, StoredBlob};

/// Blobs in a folder: `<tenant>/<id>`, written under `tmp/` first and renamed when complete and synced.
#[derive(Debug, Clone)]
pub struct LocalBlobs {
    root: PathBuf,
}

impl LocalBlobs {
    /// Uses `root`, making it if need be, and removes what interrupted uploads left behind.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        let tmp = root.join("tmp");
        std::fs::create_dir_all(&tmp)?;
        sweep(&tmp)?;
        Ok(Self { root })
    }

    /// Names are made by `put`; anything else (a corrupt row) must not leave the folder.
    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match name.split_once('/') {
            Some((tenant, id)) if plain(tenant) && plain(id) => Ok(self.root.join(tenant).join(id)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a blob name")),
        }
    }
}

#[async_trait]
impl BlobStore for LocalBlobs {
    async fn put(
        &self,
        tenant: TenantId,
        data: &mut (dyn AsyncRead + Send + Unpin),
    ) -> io::Result<StoredBlob> {
        let id = new_uuid().simple().to_string();
        let partial = Partial(self.root.join("tmp").join(&id));
        let mut file = tokio::fs::File::create_new(&partial.0).await?;
        let mut hash = Sha256::new();
        let mut bytes = 0u64;
        let mut buffer = vec![0u8; 128 * 1024];
        loop {
            let read = data.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            bytes += read as u64;
            file.write_all(&buffer[..read]).await?;
        }
        file.flush().await?;
        file.sync_all().await?;
        let name = format!("{tenant}/{id}");
        let path = self.path(&name)?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        tokio::fs::create_dir_all(&folder).await?;
        tokio::fs::rename(&partial.0, &path).await?;
        tokio::fs::File::open(&folder).await?.sync_all().await?;
        Ok(StoredBlob {
            name,
            bytes,
            sha256: hash.finalize().into(),
        })
    }

    async fn read(&self, name: &str) -> io::Result<Bytes> {
        Ok(tokio::fs::read(self.path(name)?).await?.into())
    }

    async fn open(&self, name: &str) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)> {
        let file = tokio::fs::File::open(self.path(name)?).await?;
        let bytes = file.metadata().await?.len();
        Ok((Box::new(file), bytes))
    }

    async fn local(&self, name: &str) -> io::Result<PathBuf> {
        std::path::absolute(self.path(name)?)
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(name)?).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, tenant: TenantId, age: Duration) -> BoxStream<'_, io::Result<String>> {
        let folder = self.root.join(tenant.to_string());
        let entries = async move {
            let found = match tokio::fs::read_dir(folder).await {
                Ok(entries) => entries_of(entries).left_stream(),
                // A tenant without blobs has no folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    futures::stream::empty().right_stream()
                }
                Err(error) => return Err(error),
            };
            Ok(found)
        };
        let old = futures::stream::once(entries)
            .try_flatten()
            .try_filter_map(move |entry| async move {
                // An entry may go while we look.
                let old = match entry.metadata().await {
                    Ok(metadata) => metadata.is_file() && is_older(&metadata, age)?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                    Err(error) => return Err(error),
                };
                let name = entry.file_name();
                Ok(name
                    .to_str()
                    .filter(|_| old)
                    .map(|name| format!("{tenant}/{name}")))
            });
        old.boxed()
    }

    async fn sweep_unfinished(&self) -> io::Result<()> {
        let tmp = self.root.join("tmp");
        tokio::task::spawn_blocking(move || sweep(&tmp)).await?
    }
}

fn entries_of(entries: tokio::fs::ReadDir) -> impl futures::Stream<Item = io::Result<tokio::fs::DirEntry>> {
    futures::stream::try_unfold(entries, |mut entries| async move {
        Ok(entries.next_entry().await?.map(|entry| (entry, entries)))
    })
}

/// Another server may share the folder, so only what is surely abandoned goes.
fn sweep(tmp: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(tmp)? {
        let entry = entry?;
        let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let removed = entry.metadata().and_then(|metadata| {
            if is_older(&metadata, ABANDONED_AFTER)? {
                std::fs::remove_file(entry.path())?;
            }
            Ok(())
        });
        match removed {
            Err(error) if !gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn is_older(metadata: &std::fs::Metadata, age: Duration) -> io::Result<bool> {
    Ok(metadata
        .modified()?
        .elapsed()
        .is_ok_and(|since_written| since_written > age))
}

/// Removes a half-written file when the upload fails or its client goes away.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing left under this name.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_is_read_and_partial_writes_leave_nothing() {
        let root = std::env::temp_dir().join(format!("insula-blobs-{}", new_uuid().simple()));
        let blobs = LocalBlobs::open(&root).unwrap();
        let tenant = TenantId::generate();
        let stored = blobs.put(tenant, &mut &b"hello"[..]).await.unwrap();
        assert_eq!(stored.bytes, 5);
        assert_eq!(blobs.read(&stored.name).await.unwrap(), "hello");

        let mut broken = tokio_test_reader();
        assert!(blobs.put(tenant, &mut broken).await.is_err());
        assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0);
        assert_eq!(
            std::fs::read_dir(root.join(tenant.to_string())).unwrap().count(),
            1
        );

        let listed = async |tenant, age| blobs.list(tenant, age).try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(
            listed(tenant, Duration::ZERO).await,
            std::slice::from_ref(&stored.name)
        );
        assert!(listed(tenant, ABANDONED_AFTER).await.is_empty());
        assert!(listed(TenantId::generate(), Duration::ZERO).await.is_empty());

        blobs.delete(&stored.name).await.unwrap();
        blobs.delete(&stored.name).await.unwrap();
        for name in ["../secret", "a/../b", "/etc/passwd", "a", "a/b/c"] {
            assert_eq!(
                blobs.read(name).await.unwrap_err().kind(),
                io::ErrorKind::InvalidInput,
                "{name}"
            );
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn only_what_was_abandoned_long_ago_is_swept() {
        let root = std::env::temp_dir().join(format!("insula-sweep-{}", new_uuid().simple()));
        let blobs = LocalBlobs::open(&root).unwrap();
        let long_ago = std::time::SystemTime::now() - ABANDONED_AFTER - Duration::from_secs(60);
        for (name, written) in [("old", long_ago), ("new", std::time::SystemTime::now())] {
            let file = std::fs::File::create(root.join("tmp").join(name)).unwrap();
            file.set_modified(written).unwrap();
        }
        blobs.sweep_unfinished().await.unwrap();
        assert!(!root.join("tmp/old").exists() && root.join("tmp/new").exists());
        std::fs::remove_dir_all(root).unwrap();
    }

    /// A reader that yields some bytes and then fails, like a client that goes away.
    fn tokio_test_reader() -> impl AsyncRead + Send + Unpin {
        let chunks = futures::stream::iter([Ok(Bytes::from_static(b"part")), Err(io::Error::other("gone"))]);
        tokio_util::io::StreamReader::new(chunks)
    }
}
