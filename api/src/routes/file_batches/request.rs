//! The two ways of naming the files of a batch.

use insula_core::Error;
use insula_core::vector_store::Named;
use insula_core::vector_store::file::NewStoreFile;
use serde::Deserialize;
use utoipa::openapi::schema::{OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::super::attributes::{self, AttributesParam};
use super::super::chunking::ChunkingParam;
use super::super::ids::body_ids;
use super::super::vector_store_files::CreateVectorStoreFile;

/// Files to be attached: exactly one of `file_ids` and `files`.
#[derive(Debug, Deserialize)]
pub struct CreateFileBatch {
    file_ids: Option<Vec<String>>,
    attributes: Option<AttributesParam>,
    chunking_strategy: Option<ChunkingParam>,
    files: Option<Vec<CreateVectorStoreFile>>,
}

/// Files that share their values.
#[derive(ToSchema)]
#[schema(as = CreateVectorStoreFileBatchOfIds)]
#[expect(dead_code, reason = "documents one form of CreateFileBatch")]
struct OfIds {
    /// 1 to 2,000 uploaded files.
    #[schema(min_items = 1, max_items = 2000)]
    file_ids: Vec<String>,
    /// Up to 16 values to filter searches by, for all of the files.
    #[schema(value_type = Option<Object>)]
    attributes: Option<AttributesParam>,
    /// How the files are cut.
    chunking_strategy: Option<ChunkingParam>,
}

/// Files with values of their own.
#[derive(ToSchema)]
#[schema(as = CreateVectorStoreFileBatchOfFiles)]
#[expect(dead_code, reason = "documents one form of CreateFileBatch")]
struct OfFiles {
    /// 1 to 2,000 uploaded files, each with its own attributes and chunking strategy.
    #[schema(min_items = 1, max_items = 2000)]
    files: Vec<CreateVectorStoreFile>,
}

// By hand, because an untagged enum loses the path and the reason of what is wrong inside it.
impl PartialSchema for CreateFileBatch {
    fn schema() -> RefOr<Schema> {
        let form = |name: &str| RefOr::<Schema>::Ref(Ref::from_schema_name(name));
        OneOfBuilder::new()
            .item(form(&OfIds::name()))
            .item(form(&OfFiles::name()))
            .description(Some("Exactly one of `file_ids` and `files`."))
            .into()
    }
}

impl ToSchema for CreateFileBatch {
    fn name() -> std::borrow::Cow<'static, str> {
        "CreateVectorStoreFileBatchRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        for (name, schema) in [
            (OfIds::name(), OfIds::schema()),
            (OfFiles::name(), OfFiles::schema()),
        ] {
            schemas.push((name.into(), schema));
        }
        OfIds::schemas(schemas);
        OfFiles::schemas(schemas);
    }
}

impl CreateFileBatch {
    /// The files in the domain's words, and how they were named.
    pub(super) fn read(self) -> Result<(Vec<NewStoreFile>, Named), Error> {
        match (self.file_ids, self.files) {
            (Some(file_ids), None) => {
                let attributes = attributes::read("attributes", self.attributes)?;
                let chunking = ChunkingParam::read(self.chunking_strategy)?;
                let ids = body_ids("file_ids", &file_ids)?.into_iter();
                let files = ids.map(|file_id| NewStoreFile {
                    attributes: attributes.clone(),
                    chunking,
                    ..NewStoreFile::new(file_id)
                });
                Ok((files.collect(), Named::FileIds))
            }
            (None, Some(files)) => {
                let files = files.into_iter().enumerate().map(|(index, file)| {
                    let read = file.read();
                    read.map_err(|error| error.within(&format!("files[{index}]")))
                });
                Ok((files.collect::<Result<_, _>>()?, Named::Files))
            }
            (None, None) | (Some(_), Some(_)) => Err(Error::invalid(
                "file_ids",
                "Send exactly one of 'file_ids' and 'files'.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_tenancy::FileId;
    use serde_json::{Value, json};

    fn read(body: &Value) -> Result<(Vec<NewStoreFile>, Named), Error> {
        crate::http::parse_json::<CreateFileBatch>(body.to_string().as_bytes())?.read()
    }

    #[test]
    fn files_are_named_in_one_of_two_ways() {
        let id = FileId::generate().to_string();
        let (files, named) = read(&json!({"file_ids": [id, id], "attributes": {"year": 2026}})).unwrap();
        assert_eq!((files.len(), named), (2, Named::FileIds));
        assert!(files.iter().all(|file| file.attributes.contains_key("year")));
        let (files, named) =
            read(&json!({"files": [{"file_id": id, "replaces": id}], "attributes": {"year": 2026}})).unwrap();
        assert_eq!(named, Named::Files);
        assert!(files[0].attributes.is_empty() && files[0].replaces.is_some());
    }

    #[test]
    fn refusals_name_the_place() {
        let id = FileId::generate().to_string();
        for (body, wanted) in [
            (json!({}), "file_ids"),
            (json!({"file_ids": [id], "files": [{"file_id": id}]}), "file_ids"),
            (json!({"file_ids": [id, "file-x"]}), "file_ids[1]"),
            (json!({"files": [{"file_id": id}, {}]}), "files[1].file_id"),
            (json!({"files": [{"file_id": "x"}]}), "files[0].file_id"),
            (
                json!({"files": [{"file_id": id, "replaces": "x"}]}),
                "files[0].replaces",
            ),
            (
                json!({"files": [{"file_id": id, "attributes": {"k": []}}]}),
                "files[0].attributes.k",
            ),
            (
                json!({"files": [{"file_id": id, "chunking_strategy": {"type": "static"}}]}),
                "files[0].chunking_strategy.static",
            ),
        ] {
            match read(&body) {
                Err(Error::Invalid { param, .. } | Error::NotFound { param, .. }) => {
                    assert_eq!(param.as_deref(), Some(wanted), "{body}");
                }
                other => panic!("{body} gave {other:?}"),
            }
        }
    }
}
