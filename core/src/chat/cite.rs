//! Markers `[n]` in an answer, back to the passages that they name.

use futures::{StreamExt, stream};

use crate::model::{ChatEvent, ChatStream, Citation, Completion, Passage};

/// The citations of a finished text: one per marker that names a passage.
pub fn find_citations(text: &str, passages: &[Passage]) -> Vec<Citation> {
    let mut found = Vec::new();
    let mut characters = 0;
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        characters += rest[..open].chars().count();
        rest = &rest[open..];
        let numbers = rest[1..].split_once(']').map(|(inside, _)| inside);
        // `[1]`, and what some models write instead: `[1, 3]`.
        for number in numbers.into_iter().flat_map(|inside| inside.split(',')) {
            let passage = number.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            if let Some(index) = passage
                && let Some(passage) = passages.get(index)
            {
                let end = passage.start + i64::try_from(passage.text.chars().count()).unwrap_or(0);
                found.push(Citation {
                    passage: index,
                    index: characters,
                    start: passage.start,
                    end,
                });
            }
        }
        characters += 1;
        rest = &rest[1..];
    }
    found
}

/// Adds citations to an answer whose model does not cite by itself.
pub(super) fn cite(mut completion: Completion, passages: &[Passage]) -> Completion {
    if completion.citations.is_empty()
        && let Some(content) = &completion.content
    {
        completion.citations = find_citations(content, passages);
    }
    completion
}

/// Adds citations to a stream whose model does not cite by itself: just before it finishes.
pub(super) fn cite_stream(events: ChatStream, passages: Vec<Passage>) -> ChatStream {
    let mut text = String::new();
    let mut cited = false;
    events
        .flat_map(move |event| {
            let mut out = Vec::with_capacity(2);
            match &event {
                Ok(ChatEvent::Content(piece)) => text.push_str(piece),
                Ok(ChatEvent::Citations(_)) => cited = true,
                Ok(ChatEvent::Finish(_)) if !cited => {
                    let citations = find_citations(&text, &passages);
                    if !citations.is_empty() {
                        out.push(Ok(ChatEvent::Citations(citations)));
                    }
                }
                _ => {}
            }
            out.push(event);
            stream::iter(out)
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str, start: i64) -> Passage {
        Passage {
            vector_store_id: String::new(),
            file_id: "file-1".into(),
            filename: "a.md".into(),
            chunk_id: "chunk_1".into(),
            heading_path: vec![],
            page: None,
            start,
            text: text.into(),
            score: 1.0,
        }
    }

    #[test]
    fn markers_become_citations_and_other_brackets_do_not() {
        let passages = [passage("أهلا", 10), passage("two", 0)];
        let found = find_citations("مرحبا [1] a[0] [2,1] [x] [9] arr[", &passages);
        let summary: Vec<_> = found
            .iter()
            .map(|c| (c.passage, c.index, c.start, c.end))
            .collect();
        assert_eq!(summary, vec![(0, 6, 10, 14), (1, 15, 0, 3), (0, 15, 10, 14)]);
    }
}
