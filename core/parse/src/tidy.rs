//! Markdown as a converter writes it to Markdown that is good to search, show and quote.

use std::borrow::Cow;

/// Takes out what only a renderer needs: escapes, references to pictures, empty rows of tables, emphasis that does not
/// end, marks between slides, anchors of comments.
pub(crate) fn tidy(markdown: &str) -> String {
    let mut tidied = String::with_capacity(markdown.len());
    for block in markdown.split("\n\n") {
        let block = whole_emphasis(block);
        let is_table = block.trim_start().starts_with('|');
        if is_table && !block.contains(char::is_alphanumeric) {
            continue;
        }
        // The first row of a table stays, since what makes it one is the line below.
        let lines = block
            .lines()
            .enumerate()
            .filter(|(n, line)| !(is_table && *n > 0 && is_empty_row(line)));
        let mut lines = lines.filter_map(|(_, text)| line(text)).peekable();
        if lines.peek().is_none() {
            continue;
        }
        if !tidied.is_empty() {
            tidied.push_str("\n\n");
        }
        for (n, line) in lines.enumerate() {
            if n > 0 {
                tidied.push('\n');
            }
            tidied.push_str(&line);
        }
    }
    tidied
}

/// Without the marks of bold text if one is left over: it was broken by a blank line.
fn whole_emphasis(block: &str) -> Cow<'_, str> {
    if block.matches("**").count() % 2 == 1 {
        Cow::Owned(block.replace("**", ""))
    } else {
        Cow::Borrowed(block)
    }
}

fn line(line: &str) -> Option<Cow<'_, str>> {
    if line.trim().is_empty() || is_rule(line) {
        return None;
    }
    if !line.contains(['\\', '&', '!', '[']) {
        return Some(Cow::Borrowed(line.trim_end()));
    }
    let line = without_references(line);
    let line = unescape(&line);
    let line = line.trim_end();
    (!line.is_empty()).then(|| Cow::Owned(line.to_owned()))
}

/// A line across the page, between slides or chapters.
pub(crate) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && (line.bytes().all(|b| b == b'-') || line.bytes().all(|b| b == b'*'))
}

/// A row without any text. The line below a table's header has dashes.
fn is_empty_row(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.bytes().all(|b| matches!(b, b'|' | b' '))
}

/// Pictures become their description, comments' anchors nothing.
fn without_references(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['!', '[']) {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((description, after)) = picture(rest) {
            kept.push_str(description);
            rest = after;
        } else if let Some(after) = comment(rest) {
            rest = after;
        } else {
            kept.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    kept.push_str(rest);
    kept
}

/// `![description](target)` at the beginning. A description that is a file's name says nothing.
fn picture(text: &str) -> Option<(&str, &str)> {
    let (description, after) = text.strip_prefix("![")?.split_once("](")?;
    let (_, after) = after.split_once(')')?;
    let is_name = matches!(description, "image" | "Cover" | "cover" | "img")
        || description.rsplit_once('.').is_some_and(|(_, extension)| {
            matches!(
                extension,
                "jpg" | "jpeg" | "png" | "gif" | "svg" | "wmf" | "emf" | "bmp" | "webp"
            )
        });
    Some((if is_name { "" } else { description }, after))
}

/// `[cmt:0]` at the beginning.
fn comment(text: &str) -> Option<&str> {
    let (number, after) = text.strip_prefix("[cmt:")?.split_once(']')?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some(after)
}

/// Characters lose the backslash in front of them where they mean nothing without it; entities become characters.
fn unescape(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = |c: &char| {
            matches!(
                c,
                '!' | '<' | '>' | '~' | '.' | '[' | ']' | '(' | ')' | '&' | '"' | '\'' | '\\'
            )
        };
        match character {
            '\\' => plain.push(characters.next_if(escaped).unwrap_or('\\')),
            other => plain.push(other),
        }
    }
    for (entity, character) in [
        ("&#32;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ] {
        if plain.contains(entity) {
            plain = plain.replace(entity, character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn what_only_a_renderer_needs_goes() {
        let markdown = "-----\n\n## A & B\\!\n\n![](image_0.png)\n\n![A chart of rents](x.png) shows\\[1\\]\n\n\
                        | A | B |\n| --- | --- |\n|  |  |\n| 1 | a \\| b |\n\n|  |  |\n| --- | --- |\n|  |  |\n\n\
                        Word&#32;one[cmt:0] \\<b\\>";
        assert_eq!(
            tidy(markdown),
            "## A & B!\n\nA chart of rents shows[1]\n\n| A | B |\n| --- | --- |\n| 1 | a \\| b |\n\nWord one <b>"
        );
    }

    #[test]
    fn broken_emphasis_goes_and_whole_emphasis_stays() {
        assert_eq!(
            tidy("**Key:\n\n** text\n\n**bold** x"),
            "Key:\n\n text\n\n**bold** x"
        );
        assert_eq!(tidy("![not a picture\n\n!"), "![not a picture\n\n!");
    }
}
