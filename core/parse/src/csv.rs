//! Comma-, semicolon-, tab- and bar-separated values.

use csv::{Reader, ReaderBuilder};
use insula_core::ingest::ParseError;

use crate::draft::Draft;
use crate::table::Table;

/// How much of the beginning the separator is found in.
const SAMPLE: usize = 64 * 1024;
/// How many rows of it.
const SAMPLE_ROWS: usize = 50;
/// A field with more lines than this began with a quotation mark that nothing closes.
const LONGEST_FIELD_LINES: usize = 500;
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The rows of a text that is a table, or `None` if it is not one. The name's ending makes little evidence enough.
pub(crate) fn read(text: &str, filename: &str) -> Option<Result<Draft, ParseError>> {
    let extension = filename.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
    let is_named = matches!(extension.as_deref(), Some("csv" | "tsv" | "tab"));
    let separator = separator(text, is_named)?;
    let quoting = !has_endless_field(text, separator);
    let written = write(text, separator, quoting, true);
    // Names of columns that are repeated in every row can make a text many times as long.
    Some(written.or_else(|_| write(text, separator, quoting, false)))
}

fn write(text: &str, separator: u8, quoting: bool, named: bool) -> Result<Draft, ParseError> {
    let mut draft = Draft::new(if separator == b'\t' {
        "text/tab-separated-values"
    } else {
        "text/csv"
    });
    let mut table = Table::new(&mut draft, named);
    for record in reader(text, separator, quoting).records() {
        // Only what is not UTF-8 fails, and a string is.
        let Ok(record) = record else { break };
        table.row(record.iter().map(str::to_owned).collect())?;
    }
    table.finish()?;
    Ok(draft)
}

fn reader(text: &str, separator: u8, quoting: bool) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(separator)
        .quoting(quoting)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

/// The separator that cuts most rows into the same number of fields.
fn separator(text: &str, is_named: bool) -> Option<u8> {
    let end = text[floor(text, SAMPLE)..]
        .find('\n')
        .map_or(text.len(), |at| floor(text, SAMPLE) + at);
    let sample = &text[..end];
    let scored = SEPARATORS.into_iter().filter_map(|separator| {
        let widths = widths(sample, separator);
        let usual = usual(&widths)?;
        let alike = widths.iter().filter(|width| **width == usual).count();
        let is_table = if is_named {
            usual >= 2
        } else {
            // A text may have a comma in each of its few lines; hardly one bar, semicolon or tab.
            let enough = if separator == b',' && usual == 2 { 5 } else { 3 };
            usual >= 2
                && widths.len() >= enough
                && alike * 10 >= widths.len() * 9
                && is_terse(sample, separator)
        };
        is_table.then_some((alike * usual, separator))
    });
    scored
        .max_by_key(|(score, _)| *score)
        .map(|(_, separator)| separator)
}

/// How many fields the rows of a sample have.
fn widths(sample: &str, separator: u8) -> Vec<usize> {
    let mut reader = reader(sample, separator, true);
    let records = reader.records().take(SAMPLE_ROWS).filter_map(Result::ok);
    records.map(|record| record.len()).collect()
}

fn usual(widths: &[usize]) -> Option<usize> {
    let count = |width: usize| widths.iter().filter(|other| **other == width).count();
    widths.iter().copied().max_by_key(|width| (count(*width), *width))
}

/// Fields of tables are short; sentences between commas are not.
fn is_terse(sample: &str, separator: u8) -> bool {
    let fields = sample
        .bytes()
        .filter(|byte| *byte == separator || *byte == b'\n')
        .count()
        + 1;
    sample.chars().count() / fields < 40
}

/// Whether a quotation mark without its partner makes one field of a large part of the table.
fn has_endless_field(text: &str, separator: u8) -> bool {
    let mut reader = reader(text, separator, true);
    let mut record = csv::StringRecord::new();
    while let Ok(true) = reader.read_record(&mut record) {
        if record
            .iter()
            .any(|field| field.len() > LONGEST_FIELD_LINES && field.lines().count() > LONGEST_FIELD_LINES)
        {
            return true;
        }
    }
    false
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: &str, name: &str) -> Option<String> {
        read(table, name).map(|draft| draft.unwrap().text().to_owned())
    }

    #[test]
    fn separators_and_quotes_are_understood() {
        assert_eq!(
            text("name;price\n\"Tea; green\";3,50\nCoffee;4\n", "x.csv").unwrap(),
            "name: Tea; green; price: 3,50\nname: Coffee; price: 4"
        );
        assert_eq!(
            text("الاسم\tالعمر\nعلي\t5\nسارة\t7\n", "x").unwrap(),
            "الاسم: علي; العمر: 5\nالاسم: سارة; العمر: 7"
        );
        assert_eq!(
            text("a,b,c\n1,2\n1,2,3,4\n\"unterminated,5\n", "x.csv").unwrap(),
            "a: 1; b: 2\na: 1; b: 2; c: 3; 4\na: unterminated,5"
        );
    }

    #[test]
    fn prose_is_no_table() {
        assert_eq!(text("Dear Ali,\nthank you, and greetings,\nSara\n", "x"), None);
        assert_eq!(
            text(
                "One line, with a comma.\nAnother line, with one.\nA third, too.\n",
                "x"
            ),
            None
        );
        assert_eq!(text("just words\n", "x.csv"), None);
        assert_eq!(text("", "x.csv"), None);
    }

    #[test]
    fn a_lost_quotation_mark_does_not_swallow_the_table() {
        let rows: String = (0..1000).map(|n| format!("{n},word\n")).collect();
        let written = text(&format!("n,w\n\"0,lost\n{rows}"), "x.csv").unwrap();
        assert_eq!(written.lines().count(), 1001);
        assert!(written.ends_with("n: 999; w: word"));
    }

    #[test]
    fn very_many_columns_stay_readable() {
        let names: Vec<String> = (0..100_000).map(|n| format!("c{n}")).collect();
        let values: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
        let written = text(&format!("{}\n{}\n", names.join(","), values.join(",")), "x.csv").unwrap();
        assert!(written.len() < 4_000_000 && written.contains("c99999: 99999"));
    }

    #[test]
    fn long_names_are_not_repeated_where_that_is_too_much() {
        let names: Vec<String> = (0..500).map(|n| format!("{n} {}", "long ".repeat(20))).collect();
        let row = vec!["1"; 500].join(",");
        let table = format!("{}\n{}", names.join(","), format!("{row}\n").repeat(3000));
        let written = text(&table, "x.csv").unwrap();
        assert!(written.ends_with("1 | 1"));
    }
}
