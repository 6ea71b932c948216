//! Shapes that several resources share.

use std::marker::PhantomData;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list, in OpenAI's envelope.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// `list`
    #[schema(value_type = String, example = "list")]
    pub object: &'static str,
    /// The objects.
    pub data: Vec<T>,
    /// Id of the first object; null when there is none.
    #[schema(required)]
    pub first_id: Option<String>,
    /// Id of the last object; null when there is none.
    #[schema(required)]
    pub last_id: Option<String>,
    /// Whether more objects follow.
    pub has_more: bool,
}

impl<T> List<T> {
    /// An envelope around `data`; `id` tells an object's id.
    pub fn new(data: Vec<T>, has_more: bool, id: impl Fn(&T) -> String) -> Self {
        let (first_id, last_id) = (data.first().map(&id), data.last().map(&id));
        Self {
            object: "list",
            data,
            first_id,
            last_id,
            has_more,
        }
    }
}

/// What a deletion answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// Id of what is gone.
    pub id: String,
    /// Kind of what is gone, for example `vector_store.deleted`.
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}

impl Deleted {
    /// The answer for `id`.
    pub fn new(id: impl ToString, object: &'static str) -> Self {
        Self {
            id: id.to_string(),
            object,
            deleted: true,
        }
    }
}

/// One value, or a list of them: both are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// Several texts.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The texts.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

// By hand, because an untagged enum loses the path and the reason of what is wrong inside it.
impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor;

        impl<'de> Visitor<'de> for OneOrManyVisitor {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<OneOrMany, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(items)).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

/// A text, or a list of something else that can stand for one.
#[derive(Debug, Clone, PartialEq)]
pub enum TextOr<T> {
    /// A text.
    Text(String),
    /// A list.
    Many(Vec<T>),
}

// By hand, because an untagged enum loses the path and the reason of what is wrong inside it.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T> {
            type Value = TextOr<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of objects")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TextOr<T>, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<TextOr<T>, E> {
                Ok(TextOr::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<TextOr<T>, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(items)).map(TextOr::Many)
            }
        }

        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

/// A field of a partial update: absent leaves the value, `null` clears it.
///
/// Use with `#[serde(default)]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not in the body.
    #[default]
    Keep,
    /// `null`.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Patch<T> {
    /// Changes `value`; clearing it means `default`.
    pub fn apply(self, value: &mut T, default: T) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = default,
            Self::Set(new) => *value = new,
        }
    }

    /// Maps the value, if there is one.
    pub fn try_map<U, E>(self, map: impl FnOnce(T) -> Result<U, E>) -> Result<Patch<U>, E> {
        match self {
            Self::Keep => Ok(Patch::Keep),
            Self::Clear => Ok(Patch::Clear),
            Self::Set(value) => map(value).map(Patch::Set),
        }
    }
}

/// The domain's form of a partial update.
impl<T> From<Patch<T>> for Option<Option<T>> {
    fn from(patch: Patch<T>) -> Self {
        match patch {
            Patch::Keep => None,
            Patch::Clear => Some(None),
            Patch::Set(value) => Some(Some(value)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

/// Unix seconds of a stored time.
pub(super) fn seconds(time: DateTime<Utc>) -> i64 {
    time.timestamp()
}

/// Unix seconds of now, for answers that are stored nowhere.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_many_reads_both_and_says_where_it_is_wrong() {
        let read = |json: &str| serde_json::from_str::<OneOrMany>(json);
        assert_eq!(read(r#""a""#).unwrap().into_vec(), ["a"]);
        assert_eq!(read(r#"["a","b"]"#).unwrap().into_vec(), ["a", "b"]);
        assert!(
            read("7")
                .unwrap_err()
                .to_string()
                .contains("expected a string or an array of strings")
        );
        assert!(
            read(r#"["a",7]"#)
                .unwrap_err()
                .to_string()
                .contains("expected a string")
        );
    }

    #[test]
    fn a_patch_tells_absent_from_null() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            name: Patch<String>,
        }
        let read = |json: &str| serde_json::from_str::<Body>(json).unwrap().name;
        assert_eq!(read("{}"), Patch::Keep);
        assert_eq!(read(r#"{"name":null}"#), Patch::Clear);
        assert_eq!(read(r#"{"name":"x"}"#), Patch::Set("x".into()));
    }

    #[test]
    fn an_empty_list_has_no_first_and_no_last() {
        let list = List::new(Vec::<String>::new(), false, Clone::clone);
        let json = serde_json::to_value(list).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false})
        );
    }
}
