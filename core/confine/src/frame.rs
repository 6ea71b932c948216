//! Messages over a child's standard input and output: a length (four bytes, little-endian) and so many bytes of JSON. Raw
//! bytes may follow, as many as the message says. Both ends are the same program.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A message as it is sent.
///
/// # Errors
/// When it is no JSON, or longer than a length can say.
pub fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).map_err(|_| io::Error::other("the message is too long"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a message"))
}

fn checked(length: [u8; 4], max: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message too long"));
    }
    Ok(length)
}

/// The child's reading. `None` when the parent has closed.
///
/// # Errors
/// When the pipe breaks, or what comes is no message of at most `max` bytes.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, max: usize) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; checked(length, max)?];
    from.read_exact(&mut bytes)?;
    decode(&bytes).map(Some)
}

/// The child's writing.
///
/// # Errors
/// When the pipe breaks.
pub fn write(to: &mut impl Write, message: &impl Serialize, raw: &[u8]) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.write_all(raw)?;
    to.flush()
}

/// The parent's reading.
///
/// # Errors
/// When the pipe breaks, or what comes is no message of at most `max` bytes.
pub async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin), max: usize) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    decode(&receive_raw(from, checked(length, max)?).await?)
}

/// Bytes that follow a message. Memory grows with what really comes.
///
/// # Errors
/// When fewer come.
pub async fn receive_raw(from: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}
