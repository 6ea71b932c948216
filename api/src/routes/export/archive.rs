//! A zip archive that is written while it is sent: a thread packs what comes through a short channel, and sends on through
//! another, so that nothing waits in memory but what the client has not taken yet.

use std::io::{self, Write};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use insula_core::Error;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Pieces that wait on either side of the thread.
const WAITING: usize = 4;
/// Size of what is sent on at once.
const PIECE: usize = 64 * 1024;
/// Lines are gathered up to this size.
const GATHERED: usize = 32 * 1024;

/// What the thread is told.
enum Step {
    Begin { name: String },
    Data(Vec<u8>),
    Finish,
}

/// An entry, as the manifest has it.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    name: String,
    /// Lines of it; absent for an original file.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<u64>,
    bytes: u64,
    sha256: String,
}

/// An archive that is being written. Dropped unfinished, it breaks the client's download off.
pub(super) struct Archive {
    steps: mpsc::Sender<Step>,
    current: Option<Current>,
    pub(super) entries: Vec<Entry>,
}

struct Current {
    name: String,
    objects: Option<u64>,
    bytes: u64,
    hash: Sha256,
    gathered: Vec<u8>,
}

/// The client does not take the rest.
fn gone() -> Error {
    Error::internal("the download was broken off")
}

impl Archive {
    /// A new archive, and the body that it leaves as.
    pub(super) fn new() -> (Self, Body) {
        let (steps, mut told) = mpsc::channel(WAITING);
        let (pieces, mut packed) = mpsc::channel::<io::Result<Bytes>>(WAITING);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = pack(&mut told, &pieces) {
                // In place of an end, so that nobody takes a part for the whole.
                let _ = pieces.blocking_send(Err(error));
            }
        });
        let body = Body::from_stream(stream::poll_fn(move |cx| packed.poll_recv(cx)));
        let archive = Self {
            steps,
            current: None,
            entries: Vec::new(),
        };
        (archive, body)
    }

    /// Begins an entry of lines, after what went before.
    pub(super) async fn begin_lines(&mut self, name: &str) -> Result<(), Error> {
        self.begin(name.to_owned(), Some(0)).await
    }

    /// Begins an entry of bytes.
    pub(super) async fn begin_bytes(&mut self, name: String) -> Result<(), Error> {
        self.begin(name, None).await
    }

    async fn begin(&mut self, name: String, objects: Option<u64>) -> Result<(), Error> {
        self.close().await?;
        self.tell(Step::Begin { name: name.clone() }).await?;
        self.current = Some(Current {
            name,
            objects,
            bytes: 0,
            hash: Sha256::new(),
            gathered: Vec::new(),
        });
        Ok(())
    }

    /// Adds an object as a line.
    pub(super) async fn line(&mut self, object: &impl Serialize) -> Result<(), Error> {
        let mut line = serde_json::to_vec(object).map_err(Error::internal)?;
        line.push(b'\n');
        if let Some(Current {
            objects: Some(objects),
            ..
        }) = &mut self.current
        {
            *objects += 1;
        }
        self.bytes(&line).await
    }

    /// Adds bytes to the entry.
    pub(super) async fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(current) = &mut self.current else {
            return Err(Error::internal("bytes without an entry"));
        };
        current.hash.update(bytes);
        current.bytes += bytes.len() as u64;
        current.gathered.extend_from_slice(bytes);
        if current.gathered.len() < GATHERED {
            return Ok(());
        }
        let gathered = std::mem::take(&mut current.gathered);
        self.tell(Step::Data(gathered)).await
    }

    /// Writes the last entry, which has no digest of its own, and ends the archive.
    pub(super) async fn finish(mut self, name: &str, last: &impl Serialize) -> Result<(), Error> {
        self.close().await?;
        let text = serde_json::to_vec_pretty(last).map_err(Error::internal)?;
        self.tell(Step::Begin {
            name: name.to_owned(),
        })
        .await?;
        self.tell(Step::Data(text)).await?;
        self.tell(Step::Finish).await
    }

    /// Ends the entry under way.
    pub(super) async fn close(&mut self) -> Result<(), Error> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        if !current.gathered.is_empty() {
            self.tell(Step::Data(current.gathered)).await?;
        }
        let sha256 = current.hash.finalize();
        self.entries.push(Entry {
            name: current.name,
            objects: current.objects,
            bytes: current.bytes,
            sha256: sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        Ok(())
    }

    async fn tell(&self, step: Step) -> Result<(), Error> {
        self.steps.send(step).await.map_err(|_| gone())
    }
}

fn pack(steps: &mut mpsc::Receiver<Step>, pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        // Nobody knows beforehand how long an entry becomes.
        .large_file(true);
    let mut zip = ZipWriter::new_stream(Pieces {
        pieces: pieces.clone(),
        gathered: Vec::with_capacity(PIECE),
    });
    while let Some(step) = steps.blocking_recv() {
        match step {
            Step::Begin { name } => zip.start_file(name, options).map_err(io::Error::other)?,
            Step::Data(data) => zip.write_all(&data)?,
            Step::Finish => {
                let mut rest = zip.finish().map_err(io::Error::other)?.into_inner();
                return rest.flush();
            }
        }
    }
    Err(io::Error::other("the export broke off"))
}

/// Sends what is written in pieces of some size.
struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    gathered: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE));
        let sent = self.pieces.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_sent_can_be_unpacked_and_is_what_the_manifest_says() {
        let (mut archive, body) = Archive::new();
        let written = tokio::spawn(async move {
            archive.begin_lines("things.jsonl").await.unwrap();
            for n in 0..10_000 {
                archive.line(&json!({"n": n})).await.unwrap();
            }
            archive.begin_bytes("files/ثلاثة.bin".into()).await.unwrap();
            archive.bytes(&[7; 200_000]).await.unwrap();
            archive.begin_lines("none.jsonl").await.unwrap();
            archive.close().await.unwrap();
            let entries = serde_json::to_value(&archive.entries).unwrap();
            archive
                .finish("manifest.json", &json!({"entries": entries}))
                .await
                .unwrap();
            entries
        });
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let entries = written.await.unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(zip.len(), 4);
        for entry in entries.as_array().unwrap() {
            let mut content = Vec::new();
            let mut file = zip.by_name(entry["name"].as_str().unwrap()).unwrap();
            file.read_to_end(&mut content).unwrap();
            let sha256: String = Sha256::digest(&content)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(
                (&entry["bytes"], &entry["sha256"]),
                (&json!(content.len()), &json!(sha256))
            );
        }
        assert_eq!(entries[0]["objects"], 10_000);
        assert_eq!(
            (&entries[1]["objects"], &entries[1]["bytes"]),
            (&json!(null), &json!(200_000))
        );
        assert_eq!(entries[2]["objects"], 0);
    }

    #[tokio::test]
    async fn an_archive_that_breaks_off_does_not_end_well() {
        let (mut archive, body) = Archive::new();
        archive.begin_lines("things.jsonl").await.unwrap();
        drop(archive);
        assert!(to_bytes(body, usize::MAX).await.is_err());
        // Nobody takes it: whoever writes is told.
        let (mut archive, body) = Archive::new();
        drop(body);
        archive.begin_bytes("a".into()).await.unwrap();
        let mut random = vec![0u8; 100_000];
        let mut state = 1u64;
        let mut refused = false;
        for _ in 0..200 {
            for byte in &mut random {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 33) as u8;
            }
            refused |= archive.bytes(&random).await.is_err();
        }
        assert!(refused);
    }
}
