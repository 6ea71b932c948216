//! Receiving an upload: its bytes go to the blob store as they arrive, whatever the order of the fields.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use insula_core::Error;
use insula_core::blob::{BlobStore, StoredBlob};
use insula_core::file::{NewFile, Purpose};
use insula_tenancy::TenantId;
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use crate::http::Multipart;
use crate::http::multipart::{reader_refusal, text};
use crate::http::validate::{required, unsupported};

/// An upload.
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

/// An hour to thirty days.
const LIFETIME_SECONDS: RangeInclusive<u64> = 3600..=2_592_000;

/// A complete upload. Unless it is claimed, dropping it removes its bytes again.
pub(super) struct Upload {
    new: NewFile,
    unclaimed: Unclaimed,
}

impl Upload {
    /// What is to be recorded.
    pub(super) fn new(&self) -> &NewFile {
        &self.new
    }

    /// What tells this upload from another one: name, purpose, lifetime, and the digest of the bytes.
    pub(super) fn fingerprint(&self) -> [Vec<u8>; 4] {
        let new = &self.new;
        let lifetime = new.expires_after.map_or(0, |lifetime| lifetime.as_secs());
        [
            new.filename.clone().into_bytes(),
            new.purpose.as_str().into(),
            lifetime.to_le_bytes().into(),
            new.blob.sha256.into(),
        ]
    }

    /// Keeps the bytes: a row knows them now.
    pub(super) fn claim(mut self) {
        self.unclaimed.name = None;
    }
}

/// Bytes in the blob store that no row knows yet.
struct Unclaimed {
    blobs: Arc<dyn BlobStore>,
    name: Option<String>,
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let blobs = Arc::clone(&self.blobs);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = blobs.delete(&name).await {
                    tracing::warn!(%error, "the bytes of an abandoned upload could not be removed");
                }
            });
        }
    }
}

/// Reads all fields, storing the file on the way.
pub(super) async fn receive(
    blobs: &Arc<dyn BlobStore>,
    tenant: TenantId,
    mut multipart: Multipart,
) -> Result<Upload, Error> {
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
        let unclaimed = Unclaimed {
            blobs: Arc::clone(blobs),
            name: Some(blob.name.clone()),
        };
        stored = Some((filename, blob, unclaimed));
    }
    let purpose: Purpose = required("purpose", fields.remove("purpose"))?.parse()?;
    if purpose == Purpose::BatchOutput {
        return Err(Error::invalid(
            "purpose",
            "'batch_output' is only for files that this server makes.",
        ));
    }
    let expires_after = lifetime(&fields)?;
    let (filename, blob, unclaimed) = required("file", stored)?;
    Ok(Upload {
        new: NewFile {
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
    let field = |name| fields.get(&format!("expires_after[{name}]")).map(String::as_str);
    match (field("anchor"), field("seconds")) {
        (None, None) => Ok(None),
        (Some("created_at"), Some(seconds)) => match seconds.trim().parse() {
            Ok(seconds) if LIFETIME_SECONDS.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
            _ => Err(Error::invalid(
                "expires_after.seconds",
                "Invalid value for 'expires_after.seconds': expected an integer from 3600 to 2592000.",
            )),
        },
        (Some("created_at"), None) => required("expires_after.seconds", None),
        (None, Some(_)) => required("expires_after.anchor", None),
        (Some(_), _) => Err(unsupported(
            "expires_after.anchor",
            "An anchor other than 'created_at'",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::FromRequest;
    use insula_core::blob::LocalBlobs;
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

    async fn send(blobs: &Arc<dyn BlobStore>, parts: &[(&str, &str)]) -> Result<Upload, Error> {
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
            let upload = send(&blobs, &parts).await.unwrap();
            let new = upload.new().clone();
            upload.claim();
            assert_eq!(
                (new.filename.as_str(), new.purpose),
                ("a.txt", Purpose::Assistants)
            );
            assert_eq!(blobs.read(&new.blob.name).await.unwrap(), "hello");
        }
    }

    #[tokio::test]
    async fn a_refused_upload_leaves_nothing_and_says_what_is_wrong() {
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

    #[test]
    fn lifetimes_have_a_range() {
        let lifetime = |anchor: Option<&str>, seconds: Option<&str>| {
            let field = |name: &str, value: Option<&str>| {
                value.map(|v| (format!("expires_after[{name}]"), v.to_owned()))
            };
            lifetime(
                &field("anchor", anchor)
                    .into_iter()
                    .chain(field("seconds", seconds))
                    .collect(),
            )
        };
        assert_eq!(lifetime(None, None).unwrap(), None);
        assert_eq!(
            lifetime(Some("created_at"), Some("3600")).unwrap(),
            Some(Duration::from_secs(3600))
        );
        for (anchor, seconds) in [
            (Some("created_at"), Some("3599")),
            (Some("created_at"), Some("2592001")),
            (Some("created_at"), Some("x")),
            (Some("created_at"), None),
            (Some("now"), Some("3600")),
            (None, Some("3600")),
        ] {
            assert!(lifetime(anchor, seconds).is_err(), "{anchor:?} {seconds:?}");
        }
    }
}
