//! Documents of the time before ZIP: Microsoft's compound files.

use std::io::{Cursor, Read, Seek, SeekFrom};

use cfb::CompoundFile;
use insula_core::ingest::ParseError;

use super::{Kind, Office, Sheet};
use crate::error;

/// Where a Word document says whether it is encrypted, and in which bit.
const WORD_FLAGS: (u64, u8) = (0x0b, 0x01);
/// Where a presentation says how it is stored, and the mark of an encrypted one.
const POWERPOINT_TOKEN: (u64, [u8; 4]) = (12, 0xf3d1_c4df_u32.to_le_bytes());
/// Record of a workbook that says it is encrypted.
const FILEPASS: u16 = 0x2f;
/// `FILEPASS` follows the first records of a workbook at once.
const WORKBOOK_RECORDS: usize = 16;

type Compound<'a> = CompoundFile<Cursor<&'a [u8]>>;

pub(super) fn kind(bytes: &[u8]) -> Result<Kind, ParseError> {
    let what = "a Microsoft Office file of the older kind";
    let mut file =
        CompoundFile::open(Cursor::new(bytes)).map_err(|why| error::damaged(what, &why.to_string()))?;
    if file.exists("/EncryptedPackage") {
        return Err(error::encrypted("an Office document"));
    }
    if file.exists("/\u{9}DRMContent") {
        return Err(error::encrypted("an Office document with rights management"));
    }
    if file.exists("/WordDocument") {
        let (at, bit) = WORD_FLAGS;
        let flags: Option<[u8; 1]> = read_at(&mut file, "/WordDocument", at);
        return match flags {
            Some([flags]) if flags & bit != 0 => Err(error::encrypted("a Word document")),
            _ => Ok(Kind::Office(Office::Doc)),
        };
    }
    if let Some(stream) = ["/Workbook", "/Book"].into_iter().find(|name| file.exists(name)) {
        return match is_encrypted_workbook(&mut file, stream) {
            Some(true) => Err(error::encrypted("an Excel workbook")),
            _ => Ok(Kind::Sheet(Sheet::Xls)),
        };
    }
    if file.exists("/PowerPoint Document") {
        let (at, mark) = POWERPOINT_TOKEN;
        return match read_at(&mut file, "/Current User", at) {
            Some(token) if token == mark => Err(error::encrypted("a PowerPoint presentation")),
            _ => Ok(Kind::Office(Office::Ppt)),
        };
    }
    if file.exists("/__properties_version1.0") {
        return Ok(Kind::Office(Office::Msg));
    }
    Err(error::unsupported(if file.exists("/VisioDocument") {
        "a Visio drawing"
    } else {
        "a compound file of an unknown kind"
    }))
}

fn read_at<const N: usize>(file: &mut Compound<'_>, stream: &str, at: u64) -> Option<[u8; N]> {
    let mut stream = file.open_stream(stream).ok()?;
    stream.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn is_encrypted_workbook(file: &mut Compound<'_>, stream: &str) -> Option<bool> {
    let mut stream = file.open_stream(stream).ok()?;
    for _ in 0..WORKBOOK_RECORDS {
        let mut record = [0; 4];
        stream.read_exact(&mut record).ok()?;
        if u16::from_le_bytes([record[0], record[1]]) == FILEPASS {
            return Some(true);
        }
        stream
            .seek(SeekFrom::Current(i64::from(u16::from_le_bytes([
                record[2], record[3],
            ]))))
            .ok()?;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compound(streams: &[(&str, &[u8])]) -> Vec<u8> {
        let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for (name, content) in streams {
            file.create_stream(name).unwrap().write_all(content).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    #[test]
    fn streams_tell_the_kind() {
        for (stream, expected) in [
            ("/WordDocument", Kind::Office(Office::Doc)),
            ("/Workbook", Kind::Sheet(Sheet::Xls)),
            ("/PowerPoint Document", Kind::Office(Office::Ppt)),
            ("/__properties_version1.0", Kind::Office(Office::Msg)),
        ] {
            assert_eq!(kind(&compound(&[(stream, &[0; 32])])).unwrap(), expected);
        }
        assert!(
            kind(&compound(&[("/Contents", b"")]))
                .unwrap_err()
                .message
                .contains("unknown")
        );
    }

    #[test]
    fn encryption_is_noticed() {
        let mut word = [0; 32];
        word[0x0b] = 0x01;
        let workbook = [&[0x09, 0x08, 2, 0, 0, 6][..], &[0x2f, 0, 0, 0]].concat();
        let token = [&[0; 12][..], &0xf3d1_c4df_u32.to_le_bytes()].concat();
        for streams in [
            &[("/EncryptedPackage", &[][..])][..],
            &[("/WordDocument", &word)],
            &[("/Workbook", &workbook)],
            &[("/PowerPoint Document", b""), ("/Current User", &token)],
        ] {
            let message = kind(&compound(streams)).unwrap_err().message;
            assert!(message.contains("encrypted"), "{message}");
        }
    }
}
