//! Where the bytes of files are kept. A trait, because object storage comes later; local disk now.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use insula_tenancy::{TenantId, new_uuid};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// Bytes that were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// The name to ask for them by. Unguessable, and starts with the tenant.
    pub name: String,
    /// How many there are.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// A place for the bytes of files.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores everything that `data` yields, durably: after `Ok` the bytes survive a power cut.
    async fn put(
        &self,
        tenant: TenantId,
        data: &mut (dyn AsyncRead + Send + Unpin),
    ) -> io::Result<StoredBlob>;

    /// All bytes of a blob.
    async fn read(&self, name: &str) -> io::Result<Bytes>;

    /// A blob as a stream, with its length.
    async fn open(&self, name: &str) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)>;

    /// Removes a blob; one that is gone already is fine.
    async fn delete(&self, name: &str) -> io::Result<()>;
}

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
        if tmp.exists() {
            // Another server may share the folder, so only what is surely abandoned goes.
            for entry in std::fs::read_dir(&tmp)? {
                let entry = entry?;
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                if age.as_secs() > 24 * 3600 {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        std::fs::create_dir_all(&tmp)?;
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

    async fn delete(&self, name: &str) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(name)?).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
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

    /// A reader that yields some bytes and then fails, like a client that goes away.
    fn tokio_test_reader() -> impl AsyncRead + Send + Unpin {
        let chunks = futures::stream::iter([Ok(Bytes::from_static(b"part")), Err(io::Error::other("gone"))]);
        tokio_util::io::StreamReader::new(chunks)
    }
}
