//! Rows of tables as lines that can be found and understood alone.
//!
//! A chunk is cut between lines, so that a row below the first would come without its header. Each row repeats the names
//! of its columns instead: `Month: May; Rent: 900`.

use insula_core::ingest::ParseError;

use crate::draft::Draft;

/// Rows that are seen before it is decided which of them is the header.
const LOOK_AHEAD: usize = 12;
/// A header is among the first rows with text.
const HEADER_WITHIN: usize = 6;
/// Longest name of a column, in characters; what is longer is cut where it is repeated.
const LONGEST_NAME: usize = 80;
/// A header names at least this share, in percent, of the columns that are used below it.
const NAMED_PERCENT: usize = 60;

/// Writes the rows of one table.
pub(crate) struct Table<'a> {
    draft: &'a mut Draft,
    /// Whether column names are repeated.
    named: bool,
    state: State,
}

enum State {
    /// Too little has been seen.
    Waiting(Vec<Vec<String>>),
    /// Names of the columns; empty if there are none.
    Decided(Vec<String>),
}

impl<'a> Table<'a> {
    /// A table below what `draft` holds. Without `named`, values stand alone, which takes less room.
    pub(crate) fn new(draft: &'a mut Draft, named: bool) -> Self {
        Self {
            draft,
            named,
            state: State::Waiting(Vec::new()),
        }
    }

    /// Adds a row. Rows without text are left out.
    pub(crate) fn row(&mut self, mut cells: Vec<String>) -> Result<(), ParseError> {
        for cell in &mut cells {
            tidy(cell);
        }
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        if cells.is_empty() {
            return Ok(());
        }
        match &mut self.state {
            State::Decided(names) => write(self.draft, names, &cells),
            State::Waiting(rows) => {
                rows.push(cells);
                if rows.len() < LOOK_AHEAD {
                    return Ok(());
                }
                self.decide()
            }
        }
    }

    /// Writes what is still waiting.
    pub(crate) fn finish(mut self) -> Result<(), ParseError> {
        self.decide()
    }

    fn decide(&mut self) -> Result<(), ParseError> {
        let State::Waiting(rows) = std::mem::replace(&mut self.state, State::Decided(Vec::new())) else {
            return Ok(());
        };
        let header = self.named.then(|| header(&rows)).flatten();
        let mut names = Vec::new();
        for (n, row) in rows.into_iter().enumerate() {
            if header == Some(n) {
                names = row
                    .iter()
                    .map(|name| name.chars().take(LONGEST_NAME).collect())
                    .collect();
            } else {
                write(self.draft, &names, &row)?;
            }
        }
        self.state = State::Decided(names);
        Ok(())
    }
}

/// One line for a row.
fn write(draft: &mut Draft, names: &[String], cells: &[String]) -> Result<(), ParseError> {
    let between = if names.is_empty() { " | " } else { "; " };
    let mut line = String::new();
    for (n, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        if !line.is_empty() {
            line.push_str(between);
        }
        if let Some(name) = names.get(n).filter(|name| !name.is_empty()) {
            line.push_str(name);
            line.push_str(if name.ends_with(':') { " " } else { ": " });
        }
        line.push_str(cell);
    }
    draft.line(&line)
}

/// A cell on one line.
fn tidy(cell: &mut String) {
    if cell.contains(['\n', '\r', '\t']) || cell.contains("  ") {
        *cell = cell.split_whitespace().collect::<Vec<_>>().join(" ");
    } else if cell.trim().len() != cell.len() {
        *cell = cell.trim().to_owned();
    }
}

/// Which of the first rows names the columns: the first that fills most of them, if it has distinct labels and a row
/// below. What stands above it is a title.
fn header(rows: &[Vec<String>]) -> Option<usize> {
    let used = |row: &Vec<String>| row.iter().filter(|cell| !cell.is_empty()).count();
    let width = rows.iter().map(used).max()?;
    let candidates = &rows[..rows.len().saturating_sub(1).min(HEADER_WITHIN)];
    let first = candidates
        .iter()
        .position(|row| used(row) >= 2 && used(row) * 100 >= width * NAMED_PERCENT)?;
    let mut labels: Vec<&String> = candidates[first].iter().filter(|cell| !cell.is_empty()).collect();
    let count = labels.len();
    let reads_as_labels =
        labels.iter().all(|label| is_label(label)) && labels.iter().any(|label| !is_value(label));
    labels.sort_unstable();
    labels.dedup();
    (reads_as_labels && labels.len() == count).then_some(first)
}

/// Text that may name a column; years do as well.
fn is_label(cell: &str) -> bool {
    let is_year = cell.len() == 4 && cell.parse::<u16>().is_ok_and(|year| (1900..2100).contains(&year));
    cell.chars().count() <= 2 * LONGEST_NAME && (is_year || !is_value(cell))
}

/// Numbers, dates, times, amounts.
fn is_value(cell: &str) -> bool {
    let has_digit = cell.chars().any(char::is_numeric);
    has_digit
        && cell.chars().all(|c| {
            c.is_numeric()
                || matches!(
                    c,
                    '.' | ','
                        | '-'
                        | '+'
                        | ':'
                        | '/'
                        | '%'
                        | ' '
                        | '$'
                        | '€'
                        | '£'
                        | '٫'
                        | '٬'
                        | 'T'
                        | 'Z'
                        | 'e'
                        | 'E'
                )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: &[&[&str]]) -> String {
        let mut draft = Draft::new("text/csv");
        let mut table = Table::new(&mut draft, true);
        for row in rows {
            table
                .row(row.iter().map(|cell| (*cell).to_owned()).collect())
                .unwrap();
        }
        table.finish().unwrap();
        draft.text().to_owned()
    }

    #[test]
    fn rows_carry_the_names_of_their_columns() {
        assert_eq!(
            written(&[&["Name", "Age", ""], &["Ali", "5", ""], &["Sara\nM.", "", "left"]]),
            "Name: Ali; Age: 5\nName: Sara M.; left"
        );
    }

    #[test]
    fn a_title_above_the_header_stays_a_line() {
        assert_eq!(
            written(&[
                &["Ducks per year"],
                &[""],
                &["Country", "2019", "2020"],
                &["Chile", "120", "135"]
            ]),
            "Ducks per year\nCountry: Chile; 2019: 120; 2020: 135"
        );
    }

    #[test]
    fn without_a_header_values_stand_alone() {
        assert_eq!(written(&[&["1", "2"], &["3", "4"]]), "1 | 2\n3 | 4");
        assert_eq!(written(&[&["x", "x"], &["y", "z"]]), "x | x\ny | z");
        assert_eq!(
            written(&[&["sum", "2"], &["of", "two"], &["y", "z"]]),
            "sum | 2\nof | two\ny | z"
        );
        assert_eq!(written(&[&["only", "labels"]]), "only | labels");
    }

    #[test]
    fn rows_after_the_first_ones_are_named_too() {
        let mut rows: Vec<&[&str]> = vec![&["k", "v"]];
        rows.extend(std::iter::repeat_n::<&[&str]>(&["a", "1"], 40));
        let text = written(&rows);
        assert_eq!(text.lines().count(), 40);
        assert!(text.lines().all(|line| line == "k: a; v: 1"));
    }
}
