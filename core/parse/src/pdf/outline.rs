//! Bookmarks as headings.

use pdfium_render::prelude::{PdfBookmark, PdfDocument};

use crate::draft::Draft;

/// Most bookmarks that are followed: in a damaged document they may form a circle.
const MAX_BOOKMARKS: usize = 5_000;
/// Deeper levels are those of a circle.
const MAX_DEPTH: u8 = 16;
/// Longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// A bookmark whose page is known.
struct Entry {
    page: i32,
    level: u8,
    title: String,
}

/// Gives the document headings from its bookmarks, each where its title stands on its page, or else where the page
/// begins.
pub(super) fn headings(document: &PdfDocument<'_>, draft: &mut Draft) {
    let mut found: Vec<(usize, u8, String)> = Vec::new();
    for entry in entries(document) {
        let Some((start, end)) = draft.page_range(entry.page) else {
            continue;
        };
        let offset = start + position(&draft.text()[start..end], &entry.title).unwrap_or_default();
        found.push((offset, entry.level, entry.title));
    }
    // Bookmarks need not be in the order of the pages; headings are.
    found.sort_by_key(|(offset, ..)| *offset);
    for (offset, level, title) in found {
        draft.add_heading(offset, level, &title);
    }
}

fn entries(document: &PdfDocument<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut waiting: Vec<(PdfBookmark<'_>, u8)> = document
        .bookmarks()
        .root()
        .map(|root| (root, 1))
        .into_iter()
        .collect();
    for _ in 0..MAX_BOOKMARKS {
        let Some((bookmark, level)) = waiting.pop() else {
            break;
        };
        waiting.extend(bookmark.next_sibling().map(|next| (next, level)));
        if level < MAX_DEPTH {
            waiting.extend(bookmark.first_child().map(|child| (child, level + 1)));
        }
        let title = bookmark.title().unwrap_or_default();
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = bookmark
            .destination()
            .and_then(|destination| destination.page_index().ok());
        if let Some(page) = page
            && !title.is_empty()
            && title.chars().count() <= LONGEST_TITLE
        {
            entries.push(Entry {
                page: page + 1,
                level,
                title,
            });
        }
    }
    entries
}

/// Where a line begins that holds the title, whatever number or white space the page sets it with.
fn position(page: &str, title: &str) -> Option<usize> {
    let title = letters(title);
    let mut offset = 0;
    for line in page.split_inclusive('\n') {
        if !title.is_empty() && letters(line).contains(&title) {
            return Some(offset);
        }
        offset += line.len();
    }
    None
}

fn letters(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn a_title_is_found_on_its_line() {
        let page = "Head of the page\n2.  Notice\tperiod\nThe notice period is three months.";
        assert_eq!(position(page, "2 Notice Period"), Some(17));
        assert_eq!(position(page, "Pets"), None);
        assert_eq!(position(page, "2"), None);
    }
}
