//! Messages: what the header says, the body, what is attached.

use insula_core::ingest::ParseError;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::draft::Draft;
use crate::{Reader, error, html};

const MESSAGE: &str = "an e-mail";
/// Longest list of addresses, in characters.
const LONGEST_LIST: usize = 1_000;
/// Most attachments that are read or named.
const MAX_ATTACHMENTS: usize = 200;

/// A message: its subject as heading, who sent it to whom and when, the body, and every attachment that can be read
/// below a heading with its name. Those that cannot be read are named.
///
/// # Errors
/// `invalid_file` for what is no message, or holds too much text.
pub(crate) fn read(reader: &mut Reader<'_>, bytes: &[u8]) -> Result<Draft, ParseError> {
    let message = MessageParser::default()
        .parse(bytes)
        .ok_or_else(|| error::damaged(MESSAGE, ""))?;
    let mut draft = Draft::new("message/rfc822");
    write(&mut draft, &message)?;
    for (n, part) in message.attachments().take(MAX_ATTACHMENTS).enumerate() {
        let name = part.attachment_name().unwrap_or_default();
        // Pictures in the body are attachments without names.
        let name = if name.is_empty() {
            format!("attachment {}", n + 1)
        } else {
            name.to_owned()
        };
        match attachment(reader, part, &name) {
            Some(inner) if inner.has_text() => {
                draft.heading(2, &format!("Attachment: {name}"))?;
                draft.append(inner, 2)?;
            }
            _ => draft.paragraph(&format!("Attachment: {name}"))?,
        }
    }
    Ok(draft)
}

/// The text of an attachment, if it is of a kind that has any.
fn attachment(reader: &mut Reader<'_>, part: &MessagePart<'_>, name: &str) -> Option<Draft> {
    let media = part.content_type().map_or("", |media| media.ctype());
    if ["image", "audio", "video"]
        .iter()
        .any(|other| media.eq_ignore_ascii_case(other))
    {
        return None;
    }
    let content = match &part.body {
        PartType::Message(inner) => inner.raw_message(),
        _ => part.contents(),
    };
    reader.inside(content, name).ok()
}

fn write(draft: &mut Draft, message: &Message<'_>) -> Result<(), ParseError> {
    draft.heading(1, message.subject().unwrap_or_default())?;
    for (field, addresses) in [
        ("From", message.from()),
        ("To", message.to()),
        ("Cc", message.cc()),
        ("Bcc", message.bcc()),
    ] {
        if let Some(list) = addresses.map(names).filter(|list| !list.is_empty()) {
            draft.line(&format!("{field}: {list}"))?;
        }
    }
    if let Some(date) = message.date() {
        draft.line(&format!("Date: {}", date.to_rfc3339()))?;
    }
    let mut has_html = false;
    draft.gap(2);
    for part in message.text_bodies() {
        match &part.body {
            PartType::Text(text) => draft.paragraph(text)?,
            PartType::Html(page) => {
                has_html = true;
                draft.paragraph(&html::to_markdown(page))?;
            }
            _ => {}
        }
    }
    if has_html {
        draft.find_headings();
    }
    Ok(())
}

fn names(addresses: &Address<'_>) -> String {
    let one = |address: &mail_parser::Addr<'_>| match (address.name(), address.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => String::new(),
    };
    let all: Vec<String> = addresses
        .iter()
        .map(one)
        .filter(|name| !name.is_empty())
        .collect();
    let list = all.join(", ").split_whitespace().collect::<Vec<_>>().join(" ");
    list.chars().take(LONGEST_LIST).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Tools, parse};

    #[test]
    fn a_message_is_read_with_what_is_attached() {
        let message = "From: =?UTF-8?B?2YXYrdmF2K8=?= <m@example.com>\r\nTo: a@example.com, b@example.com\r\n\
            Subject: Notice\r\nDate: Mon, 1 Jan 2024 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/mixed; boundary=x\r\n\r\n\
            --x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<style>p{}</style><p>Three <b>months</b></p>\r\n\
            --x\r\nContent-Type: text/plain; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\n\
            Month,Rent\r\nMay,900\r\nJune,950\r\n\
            --x\r\nContent-Type: image/png; name=p.png\r\nContent-Disposition: attachment; filename=p.png\r\n\
            Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoAAAANSUhEUg==\r\n--x--\r\n";
        let document = parse(message.as_bytes(), "x.eml", &Tools::default()).unwrap();
        assert_eq!(
            document.text,
            "# Notice\n\nFrom: محمد <m@example.com>\nTo: a@example.com, b@example.com\n\
             Date: 2024-01-01T12:00:00Z\n\nThree months\n\n## Attachment: a.csv\n\n\
             Month: May; Rent: 900\nMonth: June; Rent: 950\n\nAttachment: p.png"
        );
        assert_eq!(document.headings.len(), 2);
        assert_eq!(document.media_type, "message/rfc822");
    }
}
