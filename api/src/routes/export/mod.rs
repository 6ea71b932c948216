//! `/v1/insula/export`: all that a tenant has, as a file that it takes away.

mod archive;
mod contents;
mod map;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use insula_core::Error;
use insula_core::export::{Export, Subject};
use insula_tenancy::scope_types::ExportRead;
use serde_json::json;

use self::archive::Archive;
use self::contents::Reader;
pub use self::map::{Exported, TABLES};
use crate::app::App;
use crate::http::{ApiResult, Caller};
use crate::routes::files::FileBytes;
use crate::routes::wire::seconds;

/// Downloads all that the tenant has, as a zip archive.
///
/// In it is a file of JSON Lines for each kind of object, as this API shows them; the bytes of the files under `files/`; and last
/// `manifest.json`, with the number, the size and the SHA-256 of each. Secrets are not in it. It is read while it is sent: what
/// changes meanwhile is in it as it was when it was read, and a download that breaks off has no manifest.
#[utoipa::path(
    get, path = "/v1/insula/export", operation_id = "download_export", tag = "export",
    responses((status = OK, content_type = "application/zip", body = FileBytes))
)]
pub async fn download_export(caller: Caller<ExportRead>, State(app): State<App>) -> ApiResult<Response> {
    let cx = caller.into_context();
    let (export, subject) = Export::begin(&app.services.db, &cx).await?;
    let name = format!("{}-{}.zip", subject.name, subject.began_at.format("%Y-%m-%d"));
    let (archive, body) = Archive::new();
    let reader = Reader {
        app,
        cx,
        export,
        archive,
        left_out: Vec::new(),
    };
    tokio::spawn(write(reader, subject));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    let disposition = format!("attachment; filename=\"{name}\"");
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::try_from(disposition).map_err(Error::internal)?,
    );
    Ok(response)
}

/// Reads everything into the archive. Whatever stands in the way breaks the download off.
async fn write(mut reader: Reader, subject: Subject) {
    let read = reader.read(&subject).await;
    let Reader {
        cx,
        export,
        archive,
        left_out,
        ..
    } = reader;
    let written = match read {
        Ok(()) => {
            let manifest = json!({
                "object": "insula.export",
                "tenant_id": cx.tenant_id(),
                "name": subject.name,
                "began_at": seconds(subject.began_at),
                "entries": archive.entries,
                "left_out": left_out,
            });
            archive.finish("manifest.json", &manifest).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        tracing::warn!(tenant = %cx.tenant_id(), %error, "an export broke off");
    }
    if let Err(error) = export.end().await {
        tracing::warn!(tenant = %cx.tenant_id(), %error, "the end of an export is not noted");
    }
}
