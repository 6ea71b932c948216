//! Receiving a part: its bytes go to the blob store as they arrive.

use std::sync::Arc;

use futures::TryStreamExt;
use insula_core::Error;
use insula_core::blob::{BlobStore, StoredBlob, Unclaimed};
use insula_tenancy::TenantId;
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use crate::http::Multipart;
use crate::http::multipart::reader_refusal;
use crate::http::validate::required;

/// A part.
#[derive(ToSchema)]
#[schema(as = AddUploadPartRequest)]
#[expect(dead_code, reason = "documents a form that is read field by field")]
pub(super) struct CreatePart {
    /// Up to 64 MiB of the file.
    #[schema(value_type = String, format = Binary)]
    data: Vec<u8>,
}

/// Reads the field `data`, storing it on the way. Other fields are skipped.
pub(super) async fn receive(
    blobs: &Arc<dyn BlobStore>,
    tenant: TenantId,
    mut multipart: Multipart,
) -> Result<(StoredBlob, Unclaimed), Error> {
    let mut stored = None;
    while let Some(field) = multipart.next().await? {
        if field.name() != Some("data") {
            continue;
        }
        if stored.is_some() {
            return Err(Error::invalid("data", "Send exactly one part."));
        }
        let mut reader = StreamReader::new(field.map_err(std::io::Error::other));
        let blob = blobs.put(tenant, &mut reader).await.map_err(reader_refusal)?;
        let unclaimed = Unclaimed::new(blobs, &blob);
        stored = Some((blob, unclaimed));
    }
    required("data", stored)
}
