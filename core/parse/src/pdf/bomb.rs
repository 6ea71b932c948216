//! Streams that unpack to very much.
//!
//! pdfium unpacks page contents and object streams whole, without a limit: a file of two megabytes can ask for several
//! gigabytes. Streams of that kind are measured before pdfium sees them.

use std::io::Read;

use flate2::read::ZlibDecoder;
use insula_core::ingest::ParseError;
use memchr::memmem;

use crate::error;

/// Most bytes that one stream, images apart, may have unpacked. Contents of real pages stay far below.
const MAX_UNPACKED: u64 = 64 * 1024 * 1024;
/// Deflate makes at most about 1,030 bytes of one: shorter streams cannot exceed the limit, unless packed twice.
const SHORTEST_SUSPECT: usize = MAX_UNPACKED as usize / 1040;
/// How far before its data a stream's dictionary may begin.
const DICTIONARY: usize = 1024;

/// Refuses a document with a stream that unpacks to more than pdfium could hold.
pub(super) fn check(bytes: &[u8]) -> Result<(), ParseError> {
    let mut from = 0;
    while let Some(at) = memmem::find(&bytes[from..], b"stream") {
        let keyword = from + at;
        from = keyword + b"stream".len();
        if bytes[..keyword].ends_with(b"end") {
            continue;
        }
        let data = &bytes[from..];
        let length = memmem::find(data, b"endstream").unwrap_or(data.len());
        let dictionary = dictionary(&bytes[..keyword]);
        let layers = dictionary.matches("FlateDecode").count() + dictionary.matches("/Fl ").count();
        let is_suspect = length >= SHORTEST_SUSPECT || layers > 1;
        if layers > 0
            && is_suspect
            && !dictionary.contains("/Image")
            && unpacks_to_too_much(&data[..length], layers)
        {
            return Err(error::too_large_unpacked("a PDF document with a stream"));
        }
        from += length;
    }
    Ok(())
}

/// The dictionary that ends before `stream`, as text.
fn dictionary(before: &[u8]) -> String {
    let near = &before[before.len().saturating_sub(DICTIONARY)..];
    let start = near
        .windows(4)
        .rposition(|window| window == b" obj")
        .unwrap_or_default();
    String::from_utf8_lossy(&near[start..]).into_owned()
}

fn unpacks_to_too_much(data: &[u8], layers: usize) -> bool {
    let start = data
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .unwrap_or_default();
    let mut reader: Box<dyn Read + '_> = Box::new(&data[start..]);
    for _ in 0..layers.min(3) {
        reader = Box::new(ZlibDecoder::new(reader));
    }
    let mut block = vec![0; 64 * 1024];
    let mut unpacked = 0;
    // What is broken is left to pdfium, which reads up to there.
    while let Ok(read @ 1..) = reader.read(&mut block) {
        unpacked += read as u64;
        if unpacked > MAX_UNPACKED {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;

    fn packed(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn stream(dictionary: &str, data: &[u8]) -> Vec<u8> {
        let head = format!("%PDF-1.4\n1 0 obj\n<<{dictionary}>>\nstream\r\n");
        [head.as_bytes(), data, b"\nendstream\nendobj\n"].concat()
    }

    #[test]
    fn bombs_are_refused_and_images_are_not_unpacked() {
        let bomb = packed(&vec![b' '; 70 * 1024 * 1024]);
        assert!(check(&stream("/Filter /FlateDecode", &bomb)).is_err());
        assert!(check(&stream("/Subtype /Image /Filter /FlateDecode", &bomb)).is_ok());
        assert!(check(&stream("/Filter [/FlateDecode /FlateDecode]", &packed(&bomb))).is_err());
        assert!(check(&stream("/Filter /FlateDecode", &packed(&vec![b' '; 1024 * 1024]))).is_ok());
        assert!(check(b"stream stream endstream stream").is_ok());
    }
}
