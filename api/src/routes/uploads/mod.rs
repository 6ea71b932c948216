//! `/v1/uploads`: files that arrive in parts.

mod part;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use insula_core::upload::{self, Completion, MAX_PARTS, NewUpload, Part, Upload};
use insula_core::{Error, quota};
use insula_tenancy::UploadId;
use insula_tenancy::scope_types::FilesWrite;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::part::CreatePart;
use super::files::{FileExpiresAfter, FileObject, purpose};
use super::ids::body_ids;
use super::wire::seconds;
use crate::app::App;
use crate::http::multipart::least_payload;
use crate::http::validate::{count, name};
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, Multipart, OnceJson, OnceKey, Path};

/// Body limit of a part: a multipart body is a little larger than what is in it.
pub const PART_BODY_LIMIT: usize = upload::MAX_PART_BYTES as usize + 1024 * 1024;

/// An upload to be begun.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateUploadRequest)]
pub struct CreateUpload {
    /// The name of the file.
    #[schema(example = "archive.zip")]
    pub filename: String,
    /// `assistants`, `batch`, `fine-tune`, `vision`, `user_data` or `evals`.
    #[schema(example = "assistants")]
    pub purpose: String,
    /// The size of the file; the parts must add up to it.
    #[schema(minimum = 1, maximum = 5_368_709_120i64)]
    pub bytes: i64,
    /// What the client takes the file for. What it is, is decided by its content.
    #[schema(example = "application/zip")]
    pub mime_type: String,
    /// When the file is deleted.
    pub expires_after: Option<FileExpiresAfter>,
}

/// An upload to be completed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CompleteUploadRequest)]
pub struct CompleteUpload {
    /// The parts, in the order in which they make the file.
    pub part_ids: Vec<String>,
    /// MD5 of the file as hexadecimal digits, to be checked.
    pub md5: Option<String>,
}

/// A file that arrives in parts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub struct UploadObject {
    /// Its id, `upload_…`.
    pub id: String,
    /// `upload`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The announced size of the file.
    pub bytes: i64,
    /// Unix seconds of its beginning.
    pub created_at: i64,
    /// Unix seconds at which it ends, if it is not complete by then.
    pub expires_at: i64,
    /// The name of the file.
    pub filename: String,
    /// What the file is for.
    #[schema(value_type = String)]
    pub purpose: &'static str,
    /// `pending`, `completed`, `cancelled` or `expired`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// The file, once the upload is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileObject>,
}

/// A part of an upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadPart)]
pub struct PartObject {
    /// Its id, `part_…`.
    pub id: String,
    /// `upload.part`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its arrival.
    pub created_at: i64,
    /// The upload that it is a part of.
    pub upload_id: String,
}

impl From<Upload> for UploadObject {
    fn from(upload: Upload) -> Self {
        Self {
            id: upload.id.to_string(),
            object: "upload",
            bytes: upload.bytes,
            created_at: seconds(upload.created_at),
            expires_at: seconds(upload.expires_at),
            filename: upload.filename,
            purpose: upload.purpose.as_str(),
            status: upload.status.as_str(),
            file: upload.file.map(FileObject::from),
        }
    }
}

impl From<Part> for PartObject {
    fn from(part: Part) -> Self {
        Self {
            id: part.id.to_string(),
            object: "upload.part",
            created_at: seconds(part.created_at),
            upload_id: part.upload_id.to_string(),
        }
    }
}

/// Begins the upload of a file in parts. It must be completed within an hour.
#[utoipa::path(
    post, path = "/v1/uploads", operation_id = "create_upload", tag = "files",
    params(IdempotencyHeader), request_body = CreateUpload, responses((status = OK, body = UploadObject))
)]
pub async fn create_upload(
    caller: Caller<FilesWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateUpload>,
) -> ApiResult<Response> {
    name("mime_type", &request.mime_type, 256)?;
    let new = NewUpload {
        filename: request.filename,
        purpose: purpose(&request.purpose)?,
        bytes: request.bytes,
        file_lifetime: request.expires_after.unwrap_or_default().lifetime()?,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let upload = upload::create(&mut tx, &new).await?;
    once.answer(tx, &UploadObject::from(upload)).await
}

/// Adds a part to an upload. Parts may arrive in any order, and at once.
#[utoipa::path(
    post, path = "/v1/uploads/{upload_id}/parts", operation_id = "create_upload_part", tag = "files",
    params(("upload_id" = String, Path, description = "Its id, `upload_…`"), IdempotencyHeader),
    request_body(content = CreatePart, content_type = "multipart/form-data"),
    responses((status = OK, body = PartObject))
)]
pub async fn create_upload_part(
    caller: Caller<FilesWrite>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
    key: OnceKey,
    headers: HeaderMap,
    multipart: Multipart,
) -> ApiResult<Response> {
    // Before a byte of the body is read.
    let mut tx = app.services.db.tenant(&caller).await?;
    upload::get(&mut tx, id).await?;
    if let Some(bytes) = least_payload(&headers) {
        quota::expect_bytes(&mut tx, bytes).await?;
    }
    tx.commit().await?;
    let (blob, unclaimed) = part::receive(&app.services.blobs, caller.tenant_id(), multipart).await?;
    let once = key.over(&[blob.sha256]);
    let (db, caller) = (app.services.db.clone(), caller.into_context());
    // A task of its own: should the client leave now, the bytes are still recorded or removed, not orphaned.
    let recorded = tokio::spawn(async move {
        let mut tx = db.tenant(&caller).await.map_err(Error::from)?;
        if let Some(earlier) = once.earlier(&mut tx).await? {
            return Ok(earlier);
        }
        let part = upload::add_part(&mut tx, id, &blob).await?;
        // From here on the row may exist, even if the commit is not confirmed: the bytes must stay.
        unclaimed.claim();
        once.answer(tx, &PartObject::from(part)).await
    });
    recorded.await.map_err(Error::internal)?
}

/// Makes the file out of the named parts. Completing again with the same parts tells the same file.
#[utoipa::path(
    post, path = "/v1/uploads/{upload_id}/complete", operation_id = "complete_upload", tag = "files",
    params(("upload_id" = String, Path, description = "Its id, `upload_…`"), IdempotencyHeader),
    request_body = CompleteUpload, responses((status = OK, body = UploadObject))
)]
pub async fn complete_upload(
    caller: Caller<FilesWrite>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
    OnceJson(once, request): OnceJson<CompleteUpload>,
) -> ApiResult<Response> {
    count("part_ids", request.part_ids.len(), 1..=MAX_PARTS)?;
    let completion = Completion {
        part_ids: body_ids("part_ids", &request.part_ids)?,
        md5: request.md5.as_deref().map(md5).transpose()?,
    };
    let (services, caller) = (app.services.clone(), caller.into_context());
    let mut tx = services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    // Nothing is kept of this: the key is claimed again with the file, minutes later.
    drop(tx);
    // A task of its own: should the client leave, or the deadline pass, the file is still made, and told when asked for
    // again.
    let completed = tokio::spawn(async move {
        let assembled = upload::assemble(&services, &caller, id, &completion).await?;
        let mut tx = services.db.tenant(&caller).await.map_err(Error::from)?;
        if let Some(earlier) = once.earlier(&mut tx).await? {
            return Ok(earlier);
        }
        let upload = match assembled {
            Err(completed_before) => completed_before,
            Ok(assembly) => {
                let upload = upload::complete(&mut tx, &assembly).await?;
                // From here on the row may exist, even if the commit is not confirmed: the bytes must stay.
                assembly.claim();
                upload
            }
        };
        once.answer(tx, &UploadObject::from(upload)).await
    });
    completed.await.map_err(Error::internal)?
}

/// Gives an upload up. Its parts are removed.
#[utoipa::path(
    post, path = "/v1/uploads/{upload_id}/cancel", operation_id = "cancel_upload", tag = "files",
    params(("upload_id" = String, Path, description = "Its id, `upload_…`")),
    responses((status = OK, body = UploadObject))
)]
pub async fn cancel_upload(
    caller: Caller<FilesWrite>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
) -> ApiResult<Json<UploadObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let upload = upload::cancel(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(upload.into()))
}

/// 32 hexadecimal digits.
fn md5(text: &str) -> Result<[u8; 16], Error> {
    let digits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    match u128::from_str_radix(text, 16) {
        Ok(number) if digits => Ok(number.to_be_bytes()),
        _ => Err(Error::invalid(
            "md5",
            "Invalid value for 'md5': expected 32 hexadecimal digits.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use insula_core::file::Purpose;
    use insula_core::upload::Status;
    use serde_json::json;

    #[test]
    fn an_upload_has_every_key_that_clients_read() {
        let time = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let upload = Upload {
            id: UploadId::generate(),
            filename: "a.zip".into(),
            purpose: Purpose::UserData,
            bytes: 7,
            status: Status::Pending,
            file_lifetime: None,
            created_at: time,
            expires_at: time,
            file: None,
        };
        let id = upload.id.to_string();
        let expected = json!({
            "id": id, "object": "upload", "bytes": 7, "created_at": 1_700_000_000, "expires_at": 1_700_000_000,
            "filename": "a.zip", "purpose": "user_data", "status": "pending",
        });
        assert_eq!(
            serde_json::to_value(UploadObject::from(upload)).unwrap(),
            expected
        );
    }

    #[test]
    fn an_md5_is_read_in_either_case() {
        let bytes = md5("00112233445566778899aAbBcCdDeEfF").unwrap();
        assert_eq!(bytes[..2], [0x00, 0x11]);
        assert_eq!(bytes[15], 0xff);
        for bad in ["", "00", "+0112233445566778899aabbccddeeff", &"g".repeat(32)] {
            assert!(md5(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_documented_largest_file_is_the_largest() {
        let schema = serde_json::to_value(<CreateUpload as utoipa::PartialSchema>::schema()).unwrap();
        assert_eq!(schema["properties"]["bytes"]["maximum"], json!(upload::MAX_BYTES));
    }
}
