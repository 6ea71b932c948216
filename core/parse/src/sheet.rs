//! Spreadsheets, by calamine: each sheet below a heading, each row a line.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use calamine::{Data, DataRef, DataType, Ods, Range, Reader, Xls, Xlsb, Xlsx};
use insula_core::ingest::ParseError;
use zip::ZipArchive;

use crate::draft::Draft;
use crate::error;
use crate::kind::Sheet;
use crate::table::Table;

/// Most bytes that the parts of a workbook may have unpacked, pictures apart.
const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// Most bytes of one part that is held in memory whole.
const MAX_PART: u64 = 128 * 1024 * 1024;
/// Most columns of a row; Excel has 16,384.
const MAX_COLUMNS: u32 = 16_384;

/// The rows of all sheets. Formulas give the values that were stored with them.
///
/// # Errors
/// `invalid_file` for a damaged workbook and for one that unpacks to more than is allowed.
pub(crate) fn read(bytes: &[u8], sheet: Sheet) -> Result<Draft, ParseError> {
    let name = sheet.name();
    if sheet != Sheet::Xls {
        check_unpacked(bytes, sheet)?;
    }
    // Names of columns that are repeated in every row can make a text many times as long.
    rows(bytes, sheet, true)
        .or_else(|why| match why {
            Failure::Text(_) => rows(bytes, sheet, false),
            other => Err(other),
        })
        .map_err(|why| match why {
            Failure::Text(why) => why,
            Failure::File(why) if why.to_lowercase().contains("password") => error::encrypted(name),
            Failure::File(why) => error::damaged(name, &why),
        })
}

enum Failure {
    Text(ParseError),
    File(String),
}

impl From<ParseError> for Failure {
    fn from(why: ParseError) -> Self {
        Self::Text(why)
    }
}

fn file(why: impl ToString) -> Failure {
    Failure::File(why.to_string())
}

fn rows(bytes: &[u8], sheet: Sheet, named: bool) -> Result<Draft, Failure> {
    let input = Cursor::new(bytes);
    let mut draft = Draft::new(sheet.media_type());
    match sheet {
        Sheet::Xlsx => {
            let mut workbook = Xlsx::new(input).map_err(file)?;
            for name in workbook.sheet_names() {
                // Sheets of charts have no cells.
                let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else {
                    continue;
                };
                let mut rows = Rows::new(&mut draft, &name, named)?;
                while let Some(cell) = cells.next_cell().map_err(file)? {
                    rows.cell(cell.get_position(), text(cell.get_value()))?;
                }
                rows.finish()?;
            }
        }
        Sheet::Xlsb => {
            let mut workbook = Xlsb::new(input).map_err(file)?;
            for name in workbook.sheet_names() {
                let Ok(mut cells) = workbook.worksheet_cells_reader(&name) else {
                    continue;
                };
                let mut rows = Rows::new(&mut draft, &name, named)?;
                while let Some(cell) = cells.next_cell().map_err(file)? {
                    rows.cell(cell.get_position(), text(cell.get_value()))?;
                }
                rows.finish()?;
            }
        }
        Sheet::Xls => ranges(&mut draft, Xls::new(input).map_err(file)?.worksheets(), named)?,
        Sheet::Ods => ranges(&mut draft, Ods::new(input).map_err(file)?.worksheets(), named)?,
    }
    Ok(draft)
}

fn ranges(draft: &mut Draft, sheets: Vec<(String, Range<Data>)>, named: bool) -> Result<(), ParseError> {
    for (name, range) in sheets {
        let mut rows = Rows::new(draft, &name, named)?;
        for (row, column, value) in range.used_cells() {
            let position = (
                u32::try_from(row).unwrap_or(u32::MAX),
                u32::try_from(column).unwrap_or(u32::MAX),
            );
            rows.cell(position, text(value))?;
        }
        rows.finish()?;
    }
    Ok(())
}

/// Cells to rows. A sheet may say of two cells that they are a million rows apart, so that none is held but one row.
struct Rows<'a> {
    table: Table<'a>,
    row: Vec<String>,
    number: u32,
}

impl<'a> Rows<'a> {
    fn new(draft: &'a mut Draft, name: &str, named: bool) -> Result<Self, ParseError> {
        draft.heading(1, name)?;
        Ok(Self {
            table: Table::new(draft, named),
            row: Vec::new(),
            number: 0,
        })
    }

    fn cell(&mut self, (row, column): (u32, u32), value: String) -> Result<(), ParseError> {
        if row != self.number {
            self.table.row(std::mem::take(&mut self.row))?;
            self.number = row;
        }
        if value.is_empty() || column >= MAX_COLUMNS {
            return Ok(());
        }
        let column = column as usize;
        if self.row.len() <= column {
            self.row.resize(column + 1, String::new());
        }
        self.row[column] = value;
        Ok(())
    }

    fn finish(mut self) -> Result<(), ParseError> {
        self.table.row(self.row)?;
        self.table.finish()
    }
}

/// What a cell shows, as far as its value tells. Dates are written as in ISO 8601.
fn text<T: DataType + Cell>(value: &T) -> String {
    if let Some(date) = value.date() {
        return date;
    }
    match value.get_float() {
        Some(number) if number != 0.0 && !(1e-6..1e15).contains(&number.abs()) => format!("{number:e}"),
        Some(number) => number.to_string(),
        None => match value.get_bool() {
            Some(value) => value.to_string(),
            None => value
                .get_string()
                .map(str::to_owned)
                .or_else(|| value.as_string())
                .unwrap_or_default(),
        },
    }
}

/// What calamine's two types of cells have in common beyond [`DataType`].
trait Cell {
    fn date(&self) -> Option<String>;
}

impl Cell for Data {
    fn date(&self) -> Option<String> {
        match self {
            Data::DateTime(date) => Some(iso(date)),
            Data::DateTimeIso(text) | Data::DurationIso(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl Cell for DataRef<'_> {
    fn date(&self) -> Option<String> {
        match self {
            DataRef::DateTime(date) => Some(iso(date)),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Some(text.clone()),
            _ => None,
        }
    }
}

fn iso(date: &calamine::ExcelDateTime) -> String {
    let days = date.as_f64();
    let Some(time) = date.as_datetime().filter(|_| !date.is_duration()) else {
        let seconds = (days * 86_400.0).round();
        return format!(
            "{}:{:02}:{:02}",
            (seconds / 3600.0).floor(),
            (seconds / 60.0).floor() % 60.0,
            seconds % 60.0
        );
    };
    let format = if days < 1.0 {
        "%H:%M:%S"
    } else if days.fract() == 0.0 {
        "%Y-%m-%d"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    time.format(format).to_string()
}

/// Measures the parts that calamine reads, since it sets no limits itself and what a ZIP file says of sizes need not be
/// true.
fn check_unpacked(bytes: &[u8], sheet: Sheet) -> Result<(), ParseError> {
    let name = sheet.name();
    let damaged = |why: zip::result::ZipError| error::damaged(name, &why.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut total = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let Ok(part) = entry.name().map(Cow::into_owned) else {
            continue;
        };
        if ![".xml", ".bin", ".rels"].iter().any(|end| part.ends_with(end)) {
            continue;
        }
        // Sheets of Excel are read as they unpack, everything else whole.
        let limit = if part.starts_with("xl/worksheets/") {
            MAX_UNPACKED
        } else {
            MAX_PART
        };
        let size = std::io::copy(&mut entry.take(limit + 1), &mut std::io::sink()).unwrap_or_default();
        total += size;
        if size > limit || total > MAX_UNPACKED {
            return Err(error::too_large_unpacked(name));
        }
    }
    Ok(())
}

impl Sheet {
    /// What it is called in a reason, with an article.
    fn name(self) -> &'static str {
        match self {
            Self::Xlsx | Self::Xlsb | Self::Xls => "an Excel workbook",
            Self::Ods => "an OpenDocument spreadsheet",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Xlsb => "application/vnd.ms-excel.sheet.binary.macroenabled.12",
            Self::Ods => "application/vnd.oasis.opendocument.spreadsheet",
            Self::Xls => "application/vnd.ms-excel",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Tools, parse, zip_of};

    fn workbook(cells: &str) -> Vec<u8> {
        zip_of(&[
            ("[Content_Types].xml", "<Types/>"),
            (
                "_rels/.rels",
                "<Relationships><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/\
                 relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
            ),
            (
                "xl/workbook.xml",
                "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets>\
                 <sheet name=\"Rents\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>",
            ),
            (
                "xl/_rels/workbook.xml.rels",
                "<Relationships><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/\
                 relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
            ),
            (
                "xl/worksheets/sheet1.xml",
                &format!("<worksheet><sheetData>{cells}</sheetData></worksheet>"),
            ),
        ])
    }

    fn word(at: &str, text: &str) -> String {
        format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    }

    #[test]
    fn rows_stand_below_their_sheet_with_their_columns() {
        let cells = format!(
            "<row r=\"1\">{}{}</row><row r=\"2\">{}<c r=\"B2\"><v>900.5</v></c></row>",
            word("A1", "Month"),
            word("B1", "Rent"),
            word("A2", "May")
        );
        let document = parse(&workbook(&cells), "x", &Tools::default()).unwrap();
        assert_eq!(document.text, "# Rents\n\nMonth: May; Rent: 900.5");
        assert_eq!(document.headings[0].title, "Rents");
    }

    #[test]
    fn cells_far_apart_cost_nothing() {
        let cells = format!(
            "<row r=\"1\">{}</row><row r=\"1048576\">{}</row>",
            word("A1", "first"),
            word("XFD1048576", "last")
        );
        let document = parse(&workbook(&cells), "x", &Tools::default()).unwrap();
        assert_eq!(document.text, "# Rents\n\nfirst\nlast");
    }
}
