//! What a conversation is made of, as it is stored: OpenAI's items, of the kinds that are understood here.

use insula_tenancy::new_uuid;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Citation, Passage};
use crate::vector_store::Attributes;

/// An item of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    /// What somebody says.
    Message(Message),
    /// A function that the model calls, and the client runs.
    FunctionCall(FunctionCall),
    /// What the function answered.
    FunctionCallOutput(FunctionCallOutput),
    /// A search that was made for the model.
    FileSearchCall(FileSearchCall),
}

/// The id of an item: what kind it is of, and a UUIDv7, so that ids sort as items were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(String);

/// What ids of items begin with.
const PREFIXES: [&str; 4] = ["msg_", "fc_", "fco_", "fs_"];

impl ItemId {
    pub(super) fn message() -> Self {
        Self::generate("msg_")
    }

    pub(super) fn function_call() -> Self {
        Self::generate("fc_")
    }

    pub(super) fn function_call_output() -> Self {
        Self::generate("fco_")
    }

    pub(super) fn file_search_call() -> Self {
        Self::generate("fs_")
    }

    fn generate(prefix: &str) -> Self {
        Self(format!("{prefix}{}", new_uuid().simple()))
    }

    /// What it is stored under.
    pub fn uuid(&self) -> Uuid {
        let hex = self.0.split_once('_').map_or("", |(_, hex)| hex);
        Uuid::try_parse(hex).unwrap_or_default()
    }

    /// The wire form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ItemId {
    type Err = insula_tenancy::IdParseError;

    /// Ids of ours, in their one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = PREFIXES
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == 32 && hex.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(insula_tenancy::IdParseError)
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// Instructions.
    System,
    /// Instructions, under their newer name.
    Developer,
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// It is being made.
    InProgress,
    /// It is whole.
    Completed,
    /// The model was cut off in it.
    Incomplete,
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: ItemId,
    /// Who speaks.
    pub role: Speaker,
    /// How far it is.
    pub status: ItemStatus,
    /// What is said.
    pub content: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// A text for the model.
    InputText {
        /// The text.
        text: String,
    },
    /// An image for the model.
    InputImage {
        /// Where it is, or the image itself.
        image_url: String,
        /// How closely to look.
        detail: Option<String>,
    },
    /// A text of the model's.
    OutputText {
        /// The text.
        text: String,
        /// Its sources.
        annotations: Vec<Annotation>,
    },
    /// What the model says instead.
    Refusal {
        /// The text.
        refusal: String,
    },
}

/// A source of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file.
    pub file_id: String,
    /// Its name.
    pub filename: String,
    /// Where the marker `[n]` starts in the text, in characters.
    pub index: usize,
    /// The `n` of the marker.
    pub passage: usize,
    /// The store that it was found in; empty in what was stored before it was noted.
    #[serde(default)]
    pub vector_store_id: String,
    /// The passage.
    pub chunk_id: String,
    /// Where what is cited starts in the parsed file, in characters.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// Page from 1, where the format has pages.
    pub page: Option<i32>,
    /// What is cited.
    pub quote: String,
}

impl Annotation {
    /// Citations with what they cite. One of a passage that was not there is dropped.
    pub(super) fn all(citations: &[Citation], passages: &[Passage]) -> Vec<Self> {
        let annotation = |citation: &Citation| {
            let passage = passages.get(citation.passage)?;
            Some(Self {
                file_id: passage.file_id.clone(),
                filename: passage.filename.clone(),
                index: citation.index,
                passage: citation.passage + 1,
                vector_store_id: passage.vector_store_id.clone(),
                chunk_id: passage.chunk_id.clone(),
                start: citation.start,
                end: citation.end,
                page: passage.page,
                quote: passage.quote(citation.start, citation.end),
            })
        };
        citations.iter().filter_map(annotation).collect()
    }
}

/// A function that the model calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// Its id.
    pub id: ItemId,
    /// What its output names.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON text as the model wrote it; it may be invalid.
    pub arguments: String,
    /// How far it is.
    pub status: ItemStatus,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCallOutput {
    /// Its id.
    pub id: ItemId,
    /// The call that it answers.
    pub call_id: String,
    /// The answer.
    pub output: String,
    /// How far it is.
    pub status: ItemStatus,
}

/// A search that was made for the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileSearchCall {
    /// Its id.
    pub id: ItemId,
    /// How far it is.
    pub status: ItemStatus,
    /// What was searched for.
    pub queries: Vec<String>,
    /// What was found, best first.
    pub results: Vec<FileSearchResult>,
}

/// A passage that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileSearchResult {
    /// Its file.
    pub file_id: String,
    /// The file's name.
    pub filename: String,
    /// 0..=1.
    pub score: f64,
    /// The file's values in the store.
    pub attributes: Attributes,
    /// The passage.
    pub text: String,
}

impl Item {
    /// Its id.
    pub fn id(&self) -> &ItemId {
        match self {
            Self::Message(message) => &message.id,
            Self::FunctionCall(call) => &call.id,
            Self::FunctionCallOutput(output) => &output.id,
            Self::FileSearchCall(call) => &call.id,
        }
    }

    /// The same under a new id, for a copy that is kept elsewhere.
    #[must_use]
    pub fn renewed(mut self) -> Self {
        match &mut self {
            Self::Message(message) => message.id = ItemId::message(),
            Self::FunctionCall(call) => call.id = ItemId::function_call(),
            Self::FunctionCallOutput(output) => output.id = ItemId::function_call_output(),
            Self::FileSearchCall(call) => call.id = ItemId::file_search_call(),
        }
        self
    }

    /// A message.
    pub fn message(role: Speaker, content: Vec<Part>) -> Self {
        Self::Message(Message {
            id: ItemId::message(),
            role,
            status: ItemStatus::Completed,
            content,
        })
    }

    /// A call of a function.
    pub fn function_call(call_id: String, name: String, arguments: String) -> Self {
        Self::FunctionCall(FunctionCall {
            id: ItemId::function_call(),
            call_id,
            name,
            arguments,
            status: ItemStatus::Completed,
        })
    }

    /// What a function answered.
    pub fn function_call_output(call_id: String, output: String) -> Self {
        Self::FunctionCallOutput(FunctionCallOutput {
            id: ItemId::function_call_output(),
            call_id,
            output,
            status: ItemStatus::Completed,
        })
    }

    /// A search that was made before.
    pub fn file_search_call(queries: Vec<String>) -> Self {
        Self::FileSearchCall(FileSearchCall {
            id: ItemId::file_search_call(),
            status: ItemStatus::Completed,
            queries,
            results: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_stored_in_openais_shape() {
        let item = Item::message(Speaker::Developer, vec![Part::InputText { text: "x".into() }]);
        let stored = serde_json::to_value(&item).unwrap();
        let expected = json!({
            "type": "message", "id": item.id().as_str(), "role": "developer", "status": "completed",
            "content": [{"type": "input_text", "text": "x"}],
        });
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_value::<Item>(stored).unwrap(), item);
    }

    #[test]
    fn ids_sort_as_they_were_made_and_have_one_spelling() {
        let (first, second) = (ItemId::message(), ItemId::file_search_call());
        assert!(first.uuid() < second.uuid());
        assert_eq!(second.as_str().parse::<ItemId>().unwrap(), second);
        for bad in [
            "msg_",
            "msg_7",
            "resp_0",
            &first.as_str().to_uppercase(),
            &first.as_str()[4..],
        ] {
            assert!(bad.parse::<ItemId>().is_err(), "{bad}");
        }
    }
}
