//! Real and hostile documents: what is read, and the reasons of what is not.
//!
//! The files lie in `shared/data` beside the repository, or where `INSULA_SHARED_DATA` says; without them these tests say
//! that they skip. libpdfium is what the bootstrap put into `INSULA_RUNTIME` (`.runtime`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use insula_core::ingest::{ParseError, ParseErrorCode, ParsedDocument};
use insula_parse::{MAX_TEXT_BYTES, Tools, parse};

/// No hostile file takes longer, here without optimisation.
const LONGEST: Duration = Duration::from_secs(60);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shared_data(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("INSULA_SHARED_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: there is no shared/data/{path} beside the repository");
    None
}

fn tools() -> Tools {
    let runtime =
        std::env::var_os("INSULA_RUNTIME").map_or_else(|| workspace().join(".runtime"), PathBuf::from);
    Tools {
        pdfium: Some(runtime.join("pdfium")),
    }
}

fn read(path: &Path) -> Result<ParsedDocument, ParseError> {
    let name = path.file_name().unwrap().to_string_lossy();
    parse(&std::fs::read(path).unwrap(), &name, &tools())
}

/// The document, or `None` where there are no files.
fn document(path: &str) -> Option<ParsedDocument> {
    let path = shared_data(path)?;
    Some(read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display())))
}

/// The reason for which a file is refused, or `None` where there are no files.
fn reason(path: &str) -> Option<String> {
    let path = shared_data(path)?;
    Some(read(&path).unwrap_err().message)
}

fn check(document: &ParsedDocument) {
    let text = &document.text;
    assert!(text.len() <= MAX_TEXT_BYTES);
    assert!(text.chars().any(char::is_alphanumeric));
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    assert!(!document.media_type.is_empty());
    let offsets = document.headings.iter().map(|heading| heading.offset);
    assert!(offsets.clone().all(|offset| text.is_char_boundary(offset)));
    assert!(offsets.is_sorted());
    let pages = document.pages.iter().map(|page| page.offset);
    assert!(pages.clone().all(|offset| text.is_char_boundary(offset)));
    assert!(pages.is_sorted());
    assert!(document.pages.is_sorted_by_key(|page| page.page));
}

#[test]
fn every_real_document_is_read_or_refused_with_a_reason() {
    let Some(folder) = shared_data("documents") else {
        return;
    };
    let (mut files, mut read_ones) = (0, 0);
    for kind in std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
    {
        for file in std::fs::read_dir(kind.path()).unwrap().flatten() {
            files += 1;
            match read(&file.path()) {
                Ok(document) => {
                    check(&document);
                    read_ones += 1;
                }
                Err(why) => {
                    assert_ne!(
                        why.code,
                        ParseErrorCode::ServerError,
                        "{}: {why}",
                        file.path().display()
                    );
                    assert!(
                        why.message.len() < 500 && why.message.ends_with('.'),
                        "{}",
                        why.message
                    );
                }
            }
        }
    }
    assert!(
        files > 300 && read_ones * 10 > files * 8,
        "{read_ones} of {files}"
    );
}

#[test]
fn every_hostile_file_ends_in_text_or_a_reason() {
    let Some(folder) = shared_data("hostile") else {
        return;
    };
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let started = Instant::now();
        match read(&file.path()) {
            Ok(document) => check(&document),
            Err(why) => assert!(!why.message.is_empty()),
        }
        let took = started.elapsed();
        assert!(took < LONGEST, "{} took {took:?}", file.path().display());
    }
}

#[test]
fn hostile_files_have_the_right_reasons() {
    for (file, words) in [
        ("bomb_1gib.docx", "too large when it is unpacked"),
        ("flate_bomb_1gib.pdf", "too large when it is unpacked"),
        ("nested_bomb.zip", "too large when it is unpacked"),
        ("deep_xml_200k.docx", "nested too deeply"),
        ("deep.json", "nested more than"),
        ("header_only.pdf", "damaged"),
        ("pages_cycle.pdf", "damaged"),
        ("xref_w_huge.pdf", "damaged"),
        ("html_named.pdf", "contains no text"),
        ("zero.pdf", "empty"),
    ] {
        if let Some(reason) = reason(&format!("hostile/{file}")) {
            assert!(reason.contains(words), "{file}: {reason}");
        }
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    for (file, words) in [
        ("docx/tika__testWORD_protected_passtika.docx", "encrypted"),
        ("doc/tika__testWORD_protected_drm.doc", "rights management"),
        (
            "odt/tika__testODTEncrypted.odt",
            "OpenDocument text that is encrypted",
        ),
        (
            "pdf/tika__testUnicodePassword.pdf",
            "PDF document that is encrypted",
        ),
        ("ppt/tika__testPPT_protected_passtika.ppt", "encrypted"),
        ("xlsx/tika__testEXCEL_protected_passtika_2.xlsx", "encrypted"),
        ("pdf/kreuzberg__ocr_test_rotated_90.pdf", "only images"),
        ("pdf/pdfjs__issue4650.pdf", "fonts do not say"),
        ("pdf/pdfjs__poppler-742-0-fuzzed.pdf", "damaged"),
        ("7z/tika__test-documents.7z", "7z archive"),
    ] {
        if let Some(reason) = reason(&format!("documents/{file}")) {
            assert!(reason.contains(words), "{file}: {reason}");
        }
    }
}

#[test]
fn arabic_words_are_in_order() {
    let Some(document) = document("documents/pdf/kreuzberg__right_to_left_01.pdf") else {
        return;
    };
    for words in [
        "تحسين الإنتاجية وحل المشكلات من خلال البرمجة بلغة R",
        "بلغة R و Python من الأدوات القوية التي يمكن أن تعزز الإنتاجية",
        "يمكن أن يؤدي أيضًا إلى اتخاذ قرارات أكثر دقة بناءً على استنتاجات",
    ] {
        assert!(
            document.text.contains(words),
            "{words} is not in:\n{}",
            document.text
        );
    }
}

#[test]
fn two_columns_are_read_one_after_the_other() {
    let Some(document) = document("synthetic_ar_en/ar_twocol.pdf") else {
        return;
    };
    for words in [
        "علوم الحاسوب النظرية التي تركز على تصنيف المسائل الحاسوبية",
        "عادةً ما تؤخذ الأبجدية على أنها الأبجدية الثنائية",
    ] {
        assert!(
            document.text.contains(words),
            "{words} is not in:\n{}",
            document.text
        );
    }
    assert_eq!(document.pages.len(), 2);
}

#[test]
fn bookmarks_are_headings_and_pages_are_kept() {
    let name = "kreuzberg__a_comprehensive_study_of_convergent_and_commutative_replicated_data_types.pdf";
    let Some(document) = document(&format!("documents/pdf/{name}")) else {
        return;
    };
    assert_eq!(document.pages.len(), 50);
    let heading = document
        .headings
        .iter()
        .find(|h| h.title == "Grow-Only Set (G-Set)")
        .unwrap();
    assert_eq!(heading.level, 3);
    assert!(
        document.text[heading.offset..]
            .lines()
            .next()
            .unwrap()
            .contains("Grow-Only Set")
    );
}

#[test]
fn tables_of_office_documents_are_markdown_and_rows_of_sheets_name_their_columns() {
    if let Some(word) = document("documents/docx/docling__word_sample.docx") {
        assert!(word.markdown);
        assert!(word.text.contains("| Leaves | Ash, Elm, Maple | 50 |"));
        assert!(!word.text.contains("style_name"));
        assert!(
            word.headings
                .iter()
                .any(|h| h.title == "Let’s eat" && h.level == 2)
        );
    }
    for file in [
        "xlsx/docling__xlsx_05_table_with_title.xlsx",
        "ods/docling__odf_table_with_title_01.ods",
    ] {
        if let Some(sheet) = document(&format!("documents/{file}")) {
            assert!(
                sheet.text.contains("\nYear: 2019; Freshwater Ducks: 120\n"),
                "{}",
                sheet.text
            );
        }
    }
    if let Some(slides) = document("documents/pptx/markitdown__test.pptx") {
        assert_eq!(slides.pages.len(), 6);
        assert!(slides.text[slides.pages[2].offset..].starts_with("## A table to test parsing:"));
    }
    if let Some(notes) = document("synthetic_ar_en/en.pptx") {
        assert!(notes.text.contains("Notes: NOTE The \"West Side\" of Fresno"));
    }
}

#[test]
fn messages_books_and_archives_are_read_with_what_they_hold() {
    if let Some(message) = document("documents/eml/kreuzberg__html_only.eml") {
        assert!(
            message
                .text
                .starts_with("# HTML Only Email\n\nFrom: html-sender@example.com")
        );
        assert!(!message.text.contains("Should not appear"));
    }
    if let Some(message) = document("documents/msg/markitdown__test_outlook_msg.msg") {
        assert!(
            message.text.starts_with("# Test Email Message")
                && message.text.contains("body of the test email")
        );
    }
    if let Some(book) = document("documents/epub/kreuzberg__winter_sports.epub") {
        assert!(book.headings.len() > 10 && book.text.contains("Project Gutenberg"));
    }
    if let Some(archive) = document("documents/zip/tika__testZipEntryNameCharsetShiftSJIS.zip") {
        assert!(archive.text.starts_with("# 文章1.txt\n\nあいうえお"));
    }
}

#[test]
fn without_pdfium_the_reason_says_so() {
    let why = parse(b"%PDF-1.4\n", "x.pdf", &Tools::default()).unwrap_err();
    assert_eq!(why.code, ParseErrorCode::UnsupportedFile);
    assert!(why.message.contains("not installed"));
}
