//! The file that an event is in before anything of its answer leaves the server.
//!
//! A server has a folder of its own with a lock and numbered segments. A line is a checksum and an event; the last line
//! about an event holds. A line is in the kernel's hands when `write` returns, so it survives the end of the process,
//! however that comes; with [`JournalOptions::sync`] it is on the disk, and survives the end of the machine. A segment is
//! removed when the database has every event that it speaks of.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::UsageEvent;

/// A segment is closed after so many bytes.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
const LOCK: &str = "lock";
const SUFFIX: &str = "journal";

/// Where the journal is and how careful it is.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Folder of the journals of all servers on this machine. It must outlive the process.
    pub folder: PathBuf,
    /// Whether the first byte of an answer waits until the event is on the disk, not only with the operating system.
    /// Providers take longer than the disk, so this costs nothing but the disk's attention.
    pub sync: bool,
}

/// A segment that an event is in. To be given back to [`Journal::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment(u64);

/// The journal of this server.
pub(crate) struct Journal {
    folder: PathBuf,
    open: Mutex<Open>,
    /// Held for as long as the process lives.
    _lock: File,
}

struct Open {
    file: File,
    number: u64,
    bytes: u64,
    /// What was written of events that the database does not have, by segment.
    live: BTreeMap<u64, usize>,
}

impl Journal {
    /// Makes the folder of the server `id` below `parent`.
    pub(crate) fn create(parent: &Path, id: Uuid) -> io::Result<Self> {
        let folder = parent.join(id.simple().to_string());
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock()?;
        let file = segment(&folder, 0)?;
        Ok(Self {
            folder,
            open: Mutex::new(Open {
                file,
                number: 0,
                bytes: 0,
                live: BTreeMap::new(),
            }),
            _lock: lock,
        })
    }

    /// Writes what is known of an event.
    pub(crate) fn write(&self, event: &UsageEvent) -> io::Result<Segment> {
        let mut line = Vec::with_capacity(640);
        line.extend_from_slice(b"00000000 ");
        serde_json::to_writer(&mut line, event)?;
        let sum = crc32fast::hash(&line[9..]);
        line[..8].copy_from_slice(format!("{sum:08x}").as_bytes());
        line.push(b'\n');

        let mut open = self.open();
        if open.bytes >= SEGMENT_BYTES {
            open.turn(&self.folder)?;
        }
        let number = open.number;
        // A line that was written in part spoils the one after it, so nothing goes after it.
        if let Err(error) = open.file.write_all(&line) {
            open.turn(&self.folder)?;
            return Err(error);
        }
        open.bytes += line.len() as u64;
        *open.live.entry(number).or_default() += 1;
        Ok(Segment(number))
    }

    /// The file that was written last, to be brought to the disk.
    pub(crate) fn current(&self) -> io::Result<File> {
        self.open().file.try_clone()
    }

    /// The database has what these lines say.
    pub(crate) fn release(&self, segments: impl IntoIterator<Item = Segment>) {
        let mut open = self.open();
        for Segment(number) in segments {
            let Some(count) = open.live.get_mut(&number) else {
                continue;
            };
            *count = count.saturating_sub(1);
            if *count > 0 {
                continue;
            }
            open.live.remove(&number);
            if number != open.number {
                // One that stays is read again and changes nothing.
                let _ = fs::remove_file(path(&self.folder, number));
            }
        }
    }

    /// Removes the folder, if the database has everything.
    pub(crate) fn remove_if_empty(&self) {
        if self.open().live.is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn turn(&mut self, folder: &Path) -> io::Result<()> {
        self.file = segment(folder, self.number + 1)?;
        if !self.live.contains_key(&self.number) {
            let _ = fs::remove_file(path(folder, self.number));
        }
        self.number += 1;
        self.bytes = 0;
        Ok(())
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.{SUFFIX}"))
}

fn segment(folder: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path(folder, number))
}

/// The journal of a server that is gone, ours now.
pub(crate) struct Abandoned {
    folder: PathBuf,
    /// What it did not live to record.
    pub(crate) events: Vec<UsageEvent>,
    _lock: File,
}

impl Abandoned {
    /// Forgets the journal: the database has it.
    pub(crate) fn remove(self) {
        // Whoever finds what is left records it again, which changes nothing.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Takes over a journal below `parent` whose server is gone, if there is one.
pub(crate) fn adopt(parent: &Path) -> io::Result<Option<Abandoned>> {
    for entry in fs::read_dir(parent)? {
        let folder = entry?.path();
        // Without a lock it is not a journal, or is being removed this moment.
        let Ok(lock) = OpenOptions::new().write(true).open(folder.join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            let events = read(&folder)?;
            return Ok(Some(Abandoned {
                folder,
                events,
                _lock: lock,
            }));
        }
    }
    Ok(None)
}

/// The last word on each event of a folder, oldest first.
fn read(folder: &Path) -> io::Result<Vec<UsageEvent>> {
    let mut segments: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == SUFFIX))
        .collect();
    segments.sort();
    let mut events: Vec<UsageEvent> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for path in segments {
        for line in BufReader::new(File::open(path)?).split(b'\n') {
            // What the server was writing when it died is of a call that it had not answered.
            let Some(event) = parse(&line?) else { continue };
            match places.get(&event.id) {
                Some(&place) => events[place] = event,
                None => {
                    places.insert(event.id, events.len());
                    events.push(event);
                }
            }
        }
    }
    Ok(events)
}

fn parse(line: &[u8]) -> Option<UsageEvent> {
    let (sum, json) = (line.get(..8)?, line.get(9..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (crc32fast::hash(json) == sum)
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new_uuid;
    use crate::usage::{Details, Endpoint};

    fn event(output: u64) -> UsageEvent {
        let mut details = Details::default();
        details.tokens.output = output;
        UsageEvent {
            tenant_id: new_uuid(),
            id: new_uuid(),
            started_at: chrono::DateTime::UNIX_EPOCH,
            key_id: None,
            end_user: Some("line\nbreak".into()),
            endpoint: Endpoint::ChatCompletions,
            model: "m".into(),
            latency_us: 1,
            details,
        }
    }

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(new_uuid().simple().to_string());
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn segments(parent: &Path) -> usize {
        let server = fs::read_dir(parent).unwrap().next().unwrap().unwrap().path();
        fs::read_dir(server).unwrap().count() - 1
    }

    #[test]
    fn a_journal_is_adopted_once_its_server_is_gone() {
        let parent = folder();
        let journal = Journal::create(&parent, new_uuid()).unwrap();
        let (first, mut second) = (event(1), event(2));
        journal.write(&first).unwrap();
        journal.write(&second).unwrap();
        second.details.tokens.output = 9;
        journal.write(&second).unwrap();
        assert!(adopt(&parent).unwrap().is_none(), "its server lives");
        drop(journal);
        let abandoned = adopt(&parent).unwrap().unwrap();
        assert_eq!(abandoned.events, [first, second]);
        assert!(adopt(&parent).unwrap().is_none(), "somebody has it");
        abandoned.remove();
        assert!(fs::read_dir(&parent).unwrap().next().is_none());
    }

    #[test]
    fn a_torn_line_is_skipped() {
        let parent = folder();
        let journal = Journal::create(&parent, new_uuid()).unwrap();
        let whole = event(1);
        journal.write(&whole).unwrap();
        journal.open().file.write_all(b"0123").unwrap();
        drop(journal);
        assert_eq!(adopt(&parent).unwrap().unwrap().events, [whole]);
    }

    #[test]
    fn a_segment_goes_when_the_database_has_all_of_it() {
        let parent = folder();
        let journal = Journal::create(&parent, new_uuid()).unwrap();
        let kept = journal.write(&event(1)).unwrap();
        let more = journal.write(&event(1)).unwrap();
        journal.open().bytes = SEGMENT_BYTES;
        let next = journal.write(&event(1)).unwrap();
        assert_ne!(kept, next);
        journal.release([more]);
        assert_eq!(segments(&parent), 2);
        journal.release([kept]);
        assert_eq!(segments(&parent), 1);
        journal.release([next]);
        assert_eq!(segments(&parent), 1, "this one is being written");
        journal.remove_if_empty();
        assert!(fs::read_dir(&parent).unwrap().next().is_none());
    }
}
