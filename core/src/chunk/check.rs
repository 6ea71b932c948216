//! What a client may bring as a chunk.

use crate::text::chunk::Given;
use crate::{Error, Result};

/// Most chunks of one call.
const MOST_CHUNKS: usize = 1000;
/// Longest text, in characters. A text without a vector is bounded by the model's window besides.
pub(super) const LONGEST_TEXT: usize = 32_768;
/// Most titles of a heading path.
const MOST_TITLES: usize = 16;
/// Longest of them, in characters.
const LONGEST_TITLE: usize = 200;

/// A passage that a client brings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewChunk {
    /// The text.
    pub text: String,
    /// Its vector by the store's model, of any length but zero; computed if absent.
    pub embedding: Option<Vec<f32>>,
    /// Page on which it starts, from 1.
    pub page: Option<i32>,
    /// Titles of the sections that it lies in, outermost first.
    pub heading_path: Vec<String>,
    /// Character offset of its start. Chunks without offsets are taken to follow each other.
    pub start_char: Option<i64>,
    /// Character offset behind its end.
    pub end_char: Option<i64>,
}

/// Checks all but the vectors, and puts the chunks in their places.
pub(super) fn places(chunks: &[NewChunk]) -> Result<Vec<Given>> {
    if chunks.is_empty() || chunks.len() > MOST_CHUNKS {
        return Err(Error::invalid(
            "chunks",
            format!("Bring 1 to {MOST_CHUNKS} chunks."),
        ));
    }
    let mut end = 0;
    let mut given = Vec::with_capacity(chunks.len());
    for (index, chunk) in chunks.iter().enumerate() {
        let placed = place(index, chunk, end).map_err(|error| error.within(&format!("chunks[{index}]")))?;
        // A line break lies between them.
        end = placed.end_char + 1;
        given.push(placed);
    }
    Ok(given)
}

fn place(index: usize, chunk: &NewChunk, after: i64) -> Result<Given> {
    check_text("text", &chunk.text)?;
    if chunk.page.is_some_and(|page| page < 1) {
        return Err(Error::invalid("page", "Pages are counted from 1."));
    }
    check_titles(&chunk.heading_path)?;
    let (start_char, end_char) = match (chunk.start_char, chunk.end_char) {
        (None, None) => {
            let length = i64::try_from(chunk.text.chars().count()).unwrap_or(i64::MAX);
            (after, after.saturating_add(length))
        }
        (Some(start), Some(end)) if (0..=end).contains(&start) && end < i64::MAX => (start, end),
        (Some(_), Some(_)) => {
            let message = "Must be at least 0, and end_char must not be less.";
            return Err(Error::invalid("start_char", message));
        }
        (Some(_), None) => return Err(Error::invalid("end_char", "Give both offsets, or none.")),
        (None, Some(_)) => return Err(Error::invalid("start_char", "Give both offsets, or none.")),
    };
    Ok(Given {
        ordinal: i32::try_from(index).unwrap_or(i32::MAX),
        text: chunk.text.clone(),
        start_char,
        end_char,
        page: chunk.page,
        heading_path: chunk.heading_path.clone(),
    })
}

/// A text that can be a chunk.
pub(super) fn check_text(param: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(param, "The text must not be blank."));
    }
    if text.contains('\0') {
        return Err(Error::invalid(param, "The text must not contain NUL characters."));
    }
    if text.chars().count() > LONGEST_TEXT {
        let message = format!("The text must have at most {LONGEST_TEXT} characters.");
        return Err(Error::invalid(param, message));
    }
    Ok(())
}

fn check_titles(titles: &[String]) -> Result<()> {
    if titles.len() > MOST_TITLES {
        return Err(Error::invalid(
            "heading_path",
            format!("At most {MOST_TITLES} titles are kept."),
        ));
    }
    for (position, title) in titles.iter().enumerate() {
        let plain = !title.trim().is_empty() && !title.chars().any(char::is_control);
        if !plain || title.chars().count() > LONGEST_TITLE {
            let message = format!(
                "A title must have 1 to {LONGEST_TITLE} characters and no line breaks or other control characters."
            );
            return Err(Error::invalid(format!("heading_path[{position}]"), message));
        }
    }
    Ok(())
}

/// A vector of the model's length that points somewhere, brought to unit length.
pub(super) fn unit(index: usize, vector: &[f32], dimensions: usize) -> Result<Vec<f32>> {
    let invalid = |message: String| Error::invalid(format!("chunks[{index}].embedding"), message);
    if vector.len() != dimensions {
        let message = format!(
            "The store's embedding model makes vectors of {dimensions} numbers, and this one has {}.",
            vector.len()
        );
        return Err(invalid(message));
    }
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(invalid("Every number must be finite.".into()));
    }
    let length = vector
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt();
    if length < f64::from(f32::MIN_POSITIVE) {
        return Err(invalid(
            "A vector of zeros is like nothing and unlike nothing.".into(),
        ));
    }
    Ok(vector
        .iter()
        .map(|value| (f64::from(*value) / length) as f32)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str) -> NewChunk {
        NewChunk {
            text: text.into(),
            ..NewChunk::default()
        }
    }

    fn param<T: std::fmt::Debug>(result: Result<T>) -> String {
        match result.unwrap_err() {
            Error::Invalid { param, .. } => param.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn chunks_without_offsets_follow_each_other() {
        let with_offsets = NewChunk {
            start_char: Some(100),
            end_char: Some(103),
            ..chunk("abc")
        };
        let given = places(&[chunk("één"), chunk("b"), with_offsets, chunk("d")]).unwrap();
        let spans: Vec<_> = given
            .iter()
            .map(|chunk| (chunk.start_char, chunk.end_char))
            .collect();
        assert_eq!(spans, [(0, 3), (4, 5), (100, 103), (104, 105)]);
        assert_eq!(given[3].ordinal, 3);
    }

    #[test]
    fn what_cannot_be_a_chunk_is_refused_where_it_is() {
        let second = |bad: NewChunk| param(places(&[chunk("good"), bad]));
        assert_eq!(param(places(&[])), "chunks");
        assert_eq!(param(places(&vec![chunk("x"); 1001])), "chunks");
        for text in ["", " \n", "a\0b", &"x".repeat(LONGEST_TEXT + 1)] {
            assert_eq!(second(chunk(text)), "chunks[1].text");
        }
        for (page, start_char, end_char, wanted) in [
            (Some(0), None, None, "chunks[1].page"),
            (None, Some(1), None, "chunks[1].end_char"),
            (None, None, Some(1), "chunks[1].start_char"),
            (None, Some(2), Some(1), "chunks[1].start_char"),
            (None, Some(-1), Some(1), "chunks[1].start_char"),
            (None, Some(0), Some(i64::MAX), "chunks[1].start_char"),
        ] {
            let bad = NewChunk {
                page,
                start_char,
                end_char,
                ..chunk("x")
            };
            assert_eq!(second(bad), wanted);
        }
        for title in ["", "a\u{1f}b", &"x".repeat(201)] {
            let bad = NewChunk {
                heading_path: vec!["fine".into(), title.into()],
                ..chunk("x")
            };
            assert_eq!(second(bad), "chunks[1].heading_path[1]");
        }
    }

    #[test]
    fn vectors_come_to_unit_length_or_are_refused() {
        assert_eq!(unit(0, &[3.0, 4.0], 2).unwrap(), [0.6, 0.8]);
        assert_eq!(unit(0, &[f32::MAX, 0.0], 2).unwrap(), [1.0, 0.0]);
        for bad in [
            vec![1.0],
            vec![0.0, 0.0],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
            vec![1e-40, 0.0],
        ] {
            assert_eq!(param(unit(7, &bad, 2)), "chunks[7].embedding", "{bad:?}");
        }
    }
}
