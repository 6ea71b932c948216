//! What a child must not be able to do, tried from inside.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Something forbidden that a confined child has tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What, as in "opening a connection".
    pub what: String,
    /// Whether the kernel refused it. Nothing else counts, not even an address where nobody answers.
    pub refused: bool,
    /// Whether this rests on Landlock alone, which not every kernel has.
    pub best_effort: bool,
    /// What the kernel said.
    pub outcome: String,
}

/// Tries everything, in a child that may not fill `memory` bytes.
pub fn attempts(memory: u64) -> Vec<Attempt> {
    let file = std::env::temp_dir().join(format!("insula-attempt-{}", std::process::id()));
    let mut tried = vec![
        attempt("opening a connection", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, 9))
        }),
        attempt("sending a datagram", || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))),
        attempt("listening", || UnixListener::bind(&file)),
        attempt("writing a file", || fs::write(&file, "x")),
        attempt("making a folder", || fs::create_dir(&file)),
        attempt("removing a file", || fs::remove_file(&file)),
        attempt("running a program", || Command::new("/bin/true").spawn()),
        attempt("becoming another program", || {
            Err::<(), _>(Command::new("/bin/true").exec())
        }),
        attempt("signalling the server", || {
            let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
            Ok(rustix::process::test_kill_process(parent)?)
        }),
    ];
    tried.push(Attempt {
        best_effort: true,
        ..attempt("reading a file", || fs::File::open("/etc/passwd"))
    });
    let room = Vec::<u8>::new().try_reserve_exact(usize::try_from(memory).unwrap_or(usize::MAX));
    tried.push(Attempt {
        what: "taking all memory".into(),
        refused: room.is_err(),
        best_effort: false,
        outcome: room.map_or_else(|error| error.to_string(), |()| "done".into()),
    });
    tried
}

fn attempt<T>(what: &str, action: impl FnOnce() -> io::Result<T>) -> Attempt {
    let done = action();
    Attempt {
        what: what.into(),
        refused: done
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied),
        best_effort: false,
        outcome: done.map_or_else(|error| error.to_string(), |_| "done".into()),
    }
}
