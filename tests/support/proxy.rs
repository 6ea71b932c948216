//! A TCP proxy that is slow, silent or rude on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Between a client and a server. What it does to one connection, it does to all.
pub struct FaultProxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    delay: Duration,
    stalled: bool,
    /// New connections are closed at once.
    refusing: bool,
    /// Connections of an older generation are cut.
    generation: u64,
}

impl FaultProxy {
    /// Forwards to `target`, faultlessly until told otherwise.
    pub async fn start(target: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (faults, seen) = watch::channel(Faults::default());
        let target = Arc::new(target);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, Arc::clone(&target), seen.clone()));
            }
        });
        Self {
            address,
            faults,
            accepting,
        }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds everything back for so long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Forwards nothing, or again everything.
    pub fn stall(&self, stalled: bool) {
        self.faults.send_modify(|faults| faults.stalled = stalled);
    }

    /// As if nobody were there: all connections are cut, and new ones closed at once. Or again as it was.
    pub fn refuse(&self, refusing: bool) {
        self.faults.send_modify(|faults| {
            faults.refusing = refusing;
            faults.generation += u64::from(refusing);
        });
    }

    /// Cuts all connections that are open now.
    pub fn cut(&self) {
        self.faults.send_modify(|faults| faults.generation += 1);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connection(client: TcpStream, target: Arc<(String, u16)>, faults: watch::Receiver<Faults>) {
    let born = faults.borrow().generation;
    if faults.borrow().refusing {
        return;
    }
    let Ok(server) = TcpStream::connect((target.0.as_str(), target.1)).await else {
        return;
    };
    // Delays are ours to add.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut watched = faults.clone();
    tokio::select! {
        () = forward(from_client, to_server, faults.clone()) => {}
        () = forward(from_server, to_client, faults) => {}
        _ = watched.wait_for(|faults| faults.generation > born) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut faults: watch::Receiver<Faults>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let delay = faults.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if faults.wait_for(|faults| !faults.stalled).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
