//! Chunks that a client brings, on the wire.

use insula_core::Error;
use insula_core::chunk::{NewChunk, NewChunks, Origin};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::attributes::{self, AttributesParam};
use super::super::embeddings::Vector;
use super::super::ids::body_id;
use super::super::vector_store_files::optional_id;
use super::vector::VectorParam;

/// Passages to put into a vector store; exactly one of `file_id` and `filename`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateVectorStoreChunksRequest)]
pub struct CreateChunks {
    /// An uploaded file that they are passages of. What it has in the store is replaced.
    file_id: Option<String>,
    /// A name for a file that is made of them.
    filename: Option<String>,
    /// 1 to 1,000 passages, in order.
    #[schema(min_items = 1, max_items = 1000)]
    chunks: Vec<ChunkParam>,
    /// Up to 16 values to filter searches by: strings, numbers and booleans.
    #[schema(value_type = Option<Object>)]
    attributes: Option<AttributesParam>,
    /// A file of the store that leaves it in the same moment.
    replaces: Option<String>,
}

/// A passage.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateVectorStoreChunk)]
struct ChunkParam {
    /// The text.
    text: String,
    /// Its vector by the store's embedding model, as numbers or as base64 of packed little-endian 32-bit floats. It need
    /// not be of unit length.
    #[schema(value_type = Option<Vector>)]
    embedding: Option<VectorParam>,
    /// Page on which it starts.
    #[schema(minimum = 1)]
    page: Option<i32>,
    /// Titles of the sections that it lies in, outermost first. They are searched too.
    heading_path: Option<Vec<String>>,
    /// Character offset of its start in the document, for citations.
    #[schema(minimum = 0)]
    start_char: Option<i64>,
    /// Character offset behind its end.
    #[schema(minimum = 0)]
    end_char: Option<i64>,
}

impl CreateChunks {
    /// Whether a file is to be made, which takes another permission.
    pub(super) fn makes_a_file(&self) -> bool {
        self.filename.is_some()
    }

    /// The chunks in the domain's words.
    pub(super) fn read(self) -> Result<NewChunks, Error> {
        let origin = match (self.file_id, self.filename) {
            (Some(id), None) => Origin::File(body_id("file_id", &id)?),
            (None, Some(name)) => Origin::Named(name),
            (None, None) | (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "file_id",
                    "Send exactly one of 'file_id' and 'filename'.",
                ));
            }
        };
        let chunks = self.chunks.into_iter().enumerate().map(|(index, chunk)| {
            let read = chunk.read();
            read.map_err(|error| error.within(&format!("chunks[{index}]")))
        });
        Ok(NewChunks {
            origin,
            chunks: chunks.collect::<Result<_, _>>()?,
            attributes: attributes::read("attributes", self.attributes)?,
            replaces: optional_id("replaces", self.replaces.as_deref())?,
        })
    }
}

impl ChunkParam {
    fn read(self) -> Result<NewChunk, Error> {
        Ok(NewChunk {
            text: self.text,
            embedding: self.embedding.map(VectorParam::read).transpose()?,
            page: self.page,
            heading_path: self.heading_path.unwrap_or_default(),
            start_char: self.start_char,
            end_char: self.end_char,
        })
    }
}
