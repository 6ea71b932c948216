//! `/v1/files`

mod form;
mod lifetime;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use insula_core::file::{self, File, Purpose};
use insula_core::{Error, quota};
use insula_tenancy::FileId;
use insula_tenancy::scope_types::{FilesRead, FilesWrite};
use serde::Serialize;
use tokio_util::io::ReaderStream;
use utoipa::{IntoParams, ToSchema};

use self::form::CreateFile;
pub(super) use self::lifetime::{FileExpiresAfter, purpose};
use super::wire::{Deleted, List, seconds};
use crate::app::App;
use crate::http::multipart::least_payload;
use crate::http::{
    ApiResult, Caller, FromQuery, IdempotencyHeader, Json, ListQuery, Multipart, OnceKey, Path, Query,
    QueryParams,
};

/// An uploaded file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAIFile)]
pub struct FileObject {
    /// Its id, `file-…`.
    pub id: String,
    /// `file`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its size.
    pub bytes: i64,
    /// Unix seconds of its upload.
    pub created_at: i64,
    /// Unix seconds of its deletion, if it is to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Its name.
    pub filename: String,
    /// What it is for.
    #[schema(value_type = String)]
    pub purpose: &'static str,
    /// Always `processed`: how far reading has come is told by each vector store.
    #[schema(value_type = String)]
    pub status: &'static str,
}

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "documents an answer that is streamed")]
pub(super) struct FileBytes(Vec<u8>);

impl From<File> for FileObject {
    fn from(file: File) -> Self {
        Self {
            id: file.id.to_string(),
            object: "file",
            bytes: file.bytes,
            created_at: seconds(file.created_at),
            expires_at: file.expires_at.map(seconds),
            filename: file.filename,
            purpose: file.purpose.as_str(),
            status: "processed",
        }
    }
}

/// The query of the list of files.
#[derive(Debug)]
pub struct FilesQuery {
    list: ListQuery<10_000, 10_000>,
    purpose: Option<Purpose>,
}

impl FromQuery for FilesQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let purpose = params.get("purpose").map(str::parse).transpose()?;
        Ok(Self {
            list: ListQuery::from_query(params)?,
            purpose,
        })
    }
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameter; FilesQuery reads it")]
struct PurposeFilter {
    /// Only files with this purpose.
    purpose: Option<String>,
}

/// Uploads a file.
#[utoipa::path(
    post, path = "/v1/files", operation_id = "create_file", tag = "files", params(IdempotencyHeader),
    request_body(content = CreateFile, content_type = "multipart/form-data"),
    responses((status = OK, body = FileObject))
)]
pub async fn create_file(
    caller: Caller<FilesWrite>,
    State(app): State<App>,
    key: OnceKey,
    headers: HeaderMap,
    multipart: Multipart,
) -> ApiResult<Response> {
    if let Some(bytes) = least_payload(&headers) {
        let mut tx = app.services.db.tenant(&caller).await?;
        quota::expect_file(&mut tx, bytes).await?;
        tx.commit().await?;
    }
    let received = form::receive(&app.services.blobs, caller.tenant_id(), multipart).await?;
    let once = key.over(&received.fingerprint());
    let (db, caller) = (app.services.db.clone(), caller.into_context());
    // A task of its own: should the client leave now, the bytes are still recorded or removed, not orphaned.
    let recorded = tokio::spawn(async move {
        let mut tx = db.tenant(&caller).await.map_err(Error::from)?;
        if let Some(earlier) = once.earlier(&mut tx).await? {
            return Ok(earlier);
        }
        let file = file::create(&mut tx, received.file()).await?;
        // From here on the row may exist, even if the commit is not confirmed: the bytes must stay.
        received.claim();
        once.answer(tx, &FileObject::from(file)).await
    });
    recorded.await.map_err(Error::internal)?
}

/// Lists files.
#[utoipa::path(
    get, path = "/v1/files", operation_id = "list_files", tag = "files",
    params(ListQuery<10_000, 10_000>, PurposeFilter), responses((status = OK, body = List<FileObject>))
)]
pub async fn list_files(
    caller: Caller<FilesRead>,
    State(app): State<App>,
    Query(query): Query<FilesQuery>,
) -> ApiResult<Json<List<FileObject>>> {
    let page = query.list.page(FileId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = file::list(&mut tx, query.purpose, page)
        .await?
        .map(FileObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |file| {
        file.id.clone()
    })))
}

/// Describes a file.
#[utoipa::path(
    get, path = "/v1/files/{file_id}", operation_id = "get_file", tag = "files",
    params(("file_id" = String, Path, description = "Its id, `file-…`")),
    responses((status = OK, body = FileObject))
)]
pub async fn get_file(
    caller: Caller<FilesRead>,
    State(app): State<App>,
    Path(id): Path<FileId>,
) -> ApiResult<Json<FileObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(file::get(&mut tx, id).await?.into()))
}

/// Deletes a file, also from every vector store that has it.
#[utoipa::path(
    delete, path = "/v1/files/{file_id}", operation_id = "delete_file", tag = "files",
    params(("file_id" = String, Path, description = "Its id, `file-…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_file(
    caller: Caller<FilesWrite>,
    State(app): State<App>,
    Path(id): Path<FileId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    file::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "file")))
}

/// The bytes of a file, as they were uploaded.
#[utoipa::path(
    get, path = "/v1/files/{file_id}/content", operation_id = "get_file_content", tag = "files",
    params(("file_id" = String, Path, description = "Its id, `file-…`")),
    responses((status = OK, body = FileBytes, content_type = "application/octet-stream"))
)]
pub async fn get_file_content(
    caller: Caller<FilesRead>,
    State(app): State<App>,
    Path(id): Path<FileId>,
) -> ApiResult<Response> {
    let (_, reader, bytes) = file::content(&app.services, &caller, id).await?;
    let mut response = Body::from_stream(ReaderStream::with_capacity(reader, 64 * 1024)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    // Never shown by a browser: whatever a tenant uploads must not run on this origin.
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_its_own_limits_and_a_checked_purpose() {
        let query = |text| FilesQuery::from_query(&QueryParams::parse(text));
        assert_eq!(
            query("purpose=fine-tune").unwrap().purpose,
            Some(Purpose::FineTune)
        );
        assert_eq!(query("").unwrap().list.limit, 10_000);
        assert!(query("limit=10001").is_err());
        assert!(
            matches!(query("purpose=x"), Err(Error::Invalid { param: Some(param), .. }) if param == "purpose")
        );
    }
}
