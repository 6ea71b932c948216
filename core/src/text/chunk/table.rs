//! Tables of a Markdown document: a row without its column names says little, so a chunk that starts inside a table is
//! told them.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The rows of a table, with the names of its columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Bytes of the document behind the header.
    body: Range<usize>,
    /// `name | price | stock`
    columns: String,
}

/// All tables of a Markdown text, in order. Linear in its length.
pub(super) fn find(text: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut columns = String::new();
    let mut body = None;
    let mut in_head = false;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::TableHead) => {
                in_head = true;
                columns.clear();
            }
            Event::End(TagEnd::TableHead) => {
                in_head = false;
                body = Some(range.end);
            }
            Event::Start(Tag::TableCell) if in_head && !columns.is_empty() => columns += " | ",
            Event::Text(part) | Event::Code(part) if in_head => columns += &part,
            Event::End(TagEnd::Table) => {
                if let Some(start) = body.take()
                    && !columns.trim_matches([' ', '|']).is_empty()
                {
                    tables.push(Table {
                        body: start..range.end,
                        columns: std::mem::take(&mut columns),
                    });
                }
            }
            _ => {}
        }
    }
    tables
}

/// The column names of the table in whose rows `offset` lies.
pub(super) fn columns_at(tables: &[Table], offset: usize) -> Option<&str> {
    let next = tables.partition_point(|table| table.body.start <= offset);
    let table = &tables[next.checked_sub(1)?];
    table.body.contains(&offset).then_some(table.columns.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_columns_and_the_header_needs_none() {
        let text =
            "# Stock\n\n| item | price |\n| --- | --- |\n| pen | 3 |\n| ink | 7 |\n\nThe end | of it.\n";
        let tables = find(text);
        let at = |part: &str| columns_at(&tables, text.find(part).unwrap());
        assert_eq!(at("| pen"), Some("item | price"));
        assert_eq!(at("| ink"), Some("item | price"));
        assert_eq!((at("| item"), at("# Stock"), at("The end")), (None, None, None));
        assert_eq!(find("no | table"), []);
        assert_eq!(find("|  |\n|---|\n| x |\n"), []);
    }
}
