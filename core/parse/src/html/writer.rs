//! Layout: where lines end, and what marks them.

/// Deepest indentation of a list.
const MAX_INDENT: usize = 8;

/// Writes text as the tags around it demand.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
    /// Line breaks owed before the next character.
    breaks: usize,
    /// What goes before the next character of the line: `# `, `- `. Never written for an element without text.
    marker: String,
    /// Whether a space is owed.
    space: bool,
    /// Whether the text is inside `pre`.
    preformatted: bool,
    /// Open lists; the next number of an ordered one.
    lists: Vec<Option<u32>>,
    /// Open tables.
    tables: Vec<Row>,
}

/// The current row of a table.
#[derive(Default)]
struct Row {
    cells: usize,
    in_cell: bool,
}

impl Writer {
    pub(super) fn open(&mut self, name: &str, alt: Option<&str>) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.break_lines(2);
                if !self.in_cell() {
                    let level = usize::from(name.as_bytes()[1] - b'0');
                    self.mark(&format!("{} ", "#".repeat(level)));
                }
            }
            "ul" | "ol" => {
                self.break_lines(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push((name == "ol").then_some(1));
            }
            "li" => self.open_item(),
            "table" => {
                // A table in a cell: the outer one was for layout, and its row ends here.
                self.breaks = self.breaks.max(2);
                self.tables.push(Row::default());
            }
            "tr" => self.end_row(),
            "td" | "th" => self.open_cell(),
            "pre" if !self.preformatted => {
                self.break_lines(2);
                if !self.in_cell() {
                    self.mark("```\n");
                    self.preformatted = true;
                }
            }
            "br" => self.break_lines(1),
            "img" => {
                if let Some(alt) = alt {
                    self.text(alt);
                }
            }
            _ if is_block(name) => self.break_lines(2),
            _ => {}
        }
    }

    pub(super) fn close(&mut self, name: &str) {
        match name {
            "ul" | "ol" => {
                self.lists.pop();
                self.break_lines(if self.lists.is_empty() { 2 } else { 1 });
            }
            "table" => {
                self.tables.pop();
                self.breaks = self.breaks.max(2);
                if let Some(outer) = self.tables.last_mut() {
                    outer.cells = 0;
                }
            }
            "tr" => self.end_row(),
            "td" | "th" => {
                if let Some(row) = self.tables.last_mut() {
                    row.in_cell = false;
                }
            }
            "pre" => self.close_preformatted(),
            "li" => {
                self.marker.clear();
                self.break_lines(1);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.marker.clear();
                self.break_lines(2);
            }
            _ if is_block(name) => self.break_lines(2),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.preformatted {
            self.pay();
            // A fence inside a fence would end it.
            self.text.push_str(&text.replace("```", "'''"));
            return;
        }
        for character in text.chars() {
            // A no-break space holds words together and is not the layout's.
            if character.is_whitespace() && character != '\u{a0}' {
                self.space = true;
            } else {
                self.pay();
                self.text.push(character);
            }
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.close_preformatted();
        self.text.trim().to_owned()
    }

    fn open_item(&mut self) {
        self.break_lines(1);
        if self.in_cell() {
            return;
        }
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(MAX_INDENT));
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{indent}{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            _ => format!("{indent}- "),
        };
        self.mark(&marker);
    }

    fn open_cell(&mut self) {
        let Some(row) = self.tables.last_mut() else {
            return self.break_lines(1);
        };
        row.in_cell = true;
        row.cells += 1;
        if row.cells > 1 {
            self.space = false;
            self.text.push_str(" | ");
        }
    }

    fn end_row(&mut self) {
        match self.tables.last_mut() {
            Some(row) => {
                *row = Row::default();
                self.breaks = self.breaks.max(1);
            }
            None => self.break_lines(1),
        }
    }

    fn close_preformatted(&mut self) {
        // The opening fence is still owed when there was no text.
        if std::mem::take(&mut self.preformatted) && self.marker.is_empty() {
            if !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            self.text.push_str("```");
            self.breaks = 2;
        }
        self.marker.clear();
    }

    fn in_cell(&self) -> bool {
        self.tables.last().is_some_and(|row| row.in_cell)
    }

    /// Blocks end lines, but not the row of a table.
    fn break_lines(&mut self, lines: usize) {
        if self.preformatted && self.marker.is_empty() {
            self.text.push('\n');
        } else if self.in_cell() {
            self.space = true;
        } else {
            self.breaks = self.breaks.max(lines);
        }
    }

    /// Owes a marker, in place of one that got no text.
    fn mark(&mut self, marker: &str) {
        if !self.preformatted {
            self.marker.clear();
            self.marker.push_str(marker);
        }
    }

    /// Writes what is owed.
    fn pay(&mut self) {
        if self.breaks > 0 {
            self.text.truncate(self.text.trim_end_matches(' ').len());
            if !self.text.is_empty() {
                self.text.extend(std::iter::repeat_n('\n', self.breaks));
            }
            self.breaks = 0;
            self.space = false;
        }
        if !self.marker.is_empty() {
            self.text.push_str(&self.marker);
            self.marker.clear();
            self.space = false;
        }
        if std::mem::take(&mut self.space) && !self.text.ends_with([' ', '\n']) && !self.text.is_empty() {
            self.text.push(' ');
        }
    }
}

/// Elements that stand on lines of their own.
pub(super) fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "legend"
            | "main"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "ul"
    )
}
