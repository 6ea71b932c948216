//! Addresses of this machine that are known before anybody listens there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rand::Rng as _;
use tokio::net::TcpSocket;

/// Ports that the kernel gives to nobody who does not ask for them by number.
const UNASSIGNED: std::ops::Range<u16> = 10_000..32_000;

/// A free address for a server process that is to be found at the same place when it starts again.
///
/// It is none that the kernel could give to another test between one start and the next.
pub fn free_address() -> SocketAddr {
    let mut random = rand::rng();
    (0..100)
        .map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, random.random_range(UNASSIGNED))))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}

/// An address where every connection is refused, as long as this lives.
#[derive(Debug)]
pub struct Refusing {
    address: SocketAddr,
    // Bound, so that nobody else can be; it never listens.
    _socket: TcpSocket,
}

impl Refusing {
    /// Takes an address.
    pub fn bind() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = socket.local_addr().expect("its address");
        Self {
            address,
            _socket: socket,
        }
    }

    /// Where nobody answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
