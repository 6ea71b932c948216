//! The port of an embedded Postgres: any free one, and the same again at the next start.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result};

const FILE: &str = "port";

/// The port of the last start.
pub(super) fn saved(home: &Path) -> Option<u16> {
    fs::read_to_string(home.join(FILE)).ok()?.trim().parse().ok()
}

/// Remembers a port for the next start, and for who looks for a running server.
pub(super) fn save(home: &Path, port: u16) -> Result<()> {
    let path = home.join(FILE);
    fs::write(&path, port.to_string()).with_context(|| format!("writing {}", path.display()))
}

/// The port of the last start if it is free, else a free one, which is saved.
pub(super) fn choose(home: &Path) -> Result<u16> {
    if let Some(port) = saved(home).filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context("finding a free port on 127.0.0.1")?
        .port();
    save(home, port)?;
    Ok(port)
}

/// Whether nobody listens there.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_port_while_it_is_free() {
        let home = tempfile::tempdir().unwrap();
        let first = choose(home.path()).unwrap();
        assert_eq!(choose(home.path()).unwrap(), first);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let second = choose(home.path()).unwrap();
        assert_ne!(second, first);
        assert_eq!(saved(home.path()), Some(second));
    }
}
