//! Receiving a file: its bytes go to the blob store as they arrive, whatever the order of the fields.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use insula_core::Error;
use insula_core::blob::{BlobStore, StoredBlob, Unclaimed};
use insula_core::file::NewFile;
use insula_tenancy::TenantId;
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use super::lifetime::{FileExpiresAfter, out_of_range, purpose};
use crate::http::Multipart;
use crate::http::multipart::{reader_refusal, text};
use crate::http::validate::required;

/// A file to be made.
#[derive(ToSchema)]
#[schema(as = CreateFileRequest)]
#[expect(dead_code, reason = "documents a form that is read field by field")]
pub(super) struct CreateFile {
    /// The file, with its name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `assistants`, `batch`, `fine-tune`, `vision`, `user_data` or `evals`.
    #[schema(example = "assistants")]
    purpose: String,
    /// `created_at`
    #[schema(rename = "expires_after[anchor]")]
    expires_after_anchor: Option<String>,
    /// Seconds after which the file is deleted, 3600 to 2592000.
    #[schema(rename = "expires_after[seconds]")]
    expires_after_seconds: Option<u64>,
}

/// A file that has arrived whole. Unless it is claimed, dropping it removes its bytes again.
pub(super) struct Received {
    file: NewFile,
    unclaimed: Unclaimed,
}

impl Received {
    /// What is to be recorded.
    pub(super) fn file(&self) -> &NewFile {
        &self.file
    }

    /// What tells this file from another one: name, purpose, lifetime, and the digest of the bytes.
    pub(super) fn fingerprint(&self) -> [Vec<u8>; 4] {
        let new = &self.file;
        let lifetime = new.expires_after.map_or(0, |lifetime| lifetime.as_secs());
        [
            new.filename.clone().into_bytes(),
            new.purpose.as_str().into(),
            lifetime.to_le_bytes().into(),
            new.blob.sha256.into(),
        ]
    }

    /// Keeps the bytes: a row knows them now.
    pub(super) fn claim(self) {
        self.unclaimed.claim();
    }
}

/// Reads all fields, storing the file on the way.
pub(super) async fn receive(
    blobs: &Arc<dyn BlobStore>,
    tenant: TenantId,
    mut multipart: Multipart,
) -> Result<Received, Error> {
    let mut fields = BTreeMap::new();
    let mut stored: Option<(String, StoredBlob, Unclaimed)> = None;
    while let Some(field) = multipart.next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" {
            let value = text(&name, field).await?;
            fields.insert(name, value);
            continue;
        }
        if stored.is_some() {
            return Err(Error::invalid("file", "Send exactly one file."));
        }
        let filename = field
            .file_name()
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let filename = filename.ok_or_else(|| Error::invalid("file", "The part 'file' needs a filename."))?;
        let mut reader = StreamReader::new(field.map_err(std::io::Error::other));
        let blob = blobs.put(tenant, &mut reader).await.map_err(reader_refusal)?;
        let unclaimed = Unclaimed::new(blobs, &blob);
        stored = Some((filename, blob, unclaimed));
    }
    let purpose = purpose(&required("purpose", fields.remove("purpose"))?)?;
    let expires_after = lifetime(&fields)?;
    let (filename, blob, unclaimed) = required("file", stored)?;
    Ok(Received {
        file: NewFile {
            filename,
            purpose,
            blob,
            expires_after,
        },
        unclaimed,
    })
}

/// `expires_after[anchor]` and `expires_after[seconds]`.
fn lifetime(fields: &BTreeMap<String, String>) -> Result<Option<Duration>, Error> {
    let field = |name| fields.get(&format!("expires_after[{name}]"));
    let seconds = field("seconds").map(|seconds| seconds.trim().parse().map_err(|_| out_of_range()));
    let expires_after = FileExpiresAfter {
        anchor: field("anchor").cloned(),
        seconds: seconds.transpose()?,
    };
    expires_after.lifetime()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::FromRequest;
    use insula_core::blob::LocalBlobs;
    use insula_core::file::Purpose;
    use insula_tenancy::KeyId;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> (Self, Arc<dyn BlobStore>) {
            let root = std::env::temp_dir().join(format!("insula-upload-{}", KeyId::generate()));
            let blobs = Arc::new(LocalBlobs::open(&root).unwrap());
            (Self(root), blobs)
        }

        /// Files below the folder.
        fn count(&self) -> usize {
            fn below(path: &std::path::Path) -> usize {
                let entries = std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path());
                entries
                    .map(|path| if path.is_dir() { below(&path) } else { 1 })
                    .sum()
            }
            below(&self.0)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    async fn send(blobs: &Arc<dyn BlobStore>, parts: &[(&str, &str)]) -> Result<Received, Error> {
        let mut body = String::new();
        for (disposition, value) in parts {
            body += &format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n");
        }
        body += "--b--\r\n";
        let request = http::Request::post("/").header("content-type", "multipart/form-data; boundary=b");
        let multipart = Multipart::from_request(request.body(Body::from(body)).unwrap(), &())
            .await
            .unwrap();
        receive(blobs, TenantId::generate(), multipart).await
    }

    const FILE: (&str, &str) = (r#"name="file"; filename="a.txt""#, "hello");
    const PURPOSE: (&str, &str) = (r#"name="purpose""#, "assistants");

    #[tokio::test]
    async fn fields_come_in_any_order() {
        let (_folder, blobs) = Folder::new();
        for parts in [[FILE, PURPOSE], [PURPOSE, FILE]] {
            let received = send(&blobs, &parts).await.unwrap();
            let new = received.file().clone();
            received.claim();
            assert_eq!(
                (new.filename.as_str(), new.purpose),
                ("a.txt", Purpose::Assistants)
            );
            assert_eq!(blobs.read(&new.blob.name).await.unwrap(), "hello");
        }
    }

    #[tokio::test]
    async fn a_refused_file_leaves_nothing_and_says_what_is_wrong() {
        let (folder, blobs) = Folder::new();
        for (parts, wanted) in [
            (vec![FILE], "purpose"),
            (vec![PURPOSE], "file"),
            (vec![FILE, (r#"name="purpose""#, "fun")], "purpose"),
            (vec![FILE, (r#"name="purpose""#, "batch_output")], "purpose"),
            (vec![PURPOSE, (r#"name="file""#, "hello")], "file"),
            (vec![FILE, FILE, PURPOSE], "file"),
            (
                vec![FILE, PURPOSE, (r#"name="expires_after[anchor]""#, "created_at")],
                "expires_after.seconds",
            ),
            (
                vec![FILE, PURPOSE, (r#"name="expires_after[seconds]""#, "soon")],
                "expires_after.seconds",
            ),
        ] {
            match send(&blobs, &parts).await {
                Err(Error::Invalid {
                    param: Some(param), ..
                }) => assert_eq!(param, wanted),
                Err(other) => panic!("{other:?}"),
                Ok(_) => panic!("accepted what lacks {wanted}"),
            }
        }
        // Removal runs in tasks of its own.
        for _ in 0..100 {
            if folder.count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} files were left behind", folder.count());
    }
}
