//! Pieces of an answer that are ready together, sent together.
//!
//! hyper hands on the pieces of a provider's stream one at a time, from a task of its own, and sends what it is given as soon as
//! nothing more is ready; a stream that comes in bursts would be a system call for each token. Here the other task gets its turn
//! once before what is there is let go, for as long as that brings more.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

/// What is held back at most, in bytes.
const MOST: usize = 16 * 1024;

/// The same body in larger pieces.
pub fn packed(body: Body) -> Body {
    Body::from_stream(Packed {
        pieces: Some(body.into_data_stream()),
        ready: BytesMut::new(),
        waited: false,
        failed: None,
    })
}

struct Packed {
    /// `None` when there are no more.
    pieces: Option<BodyDataStream>,
    ready: BytesMut,
    /// Whether others had their turn since the last piece.
    waited: bool,
    failed: Option<axum::Error>,
}

impl Stream for Packed {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.ready.len() >= MOST {
                return Poll::Ready(Some(Ok(self.ready.split().freeze())));
            }
            let Some(pieces) = &mut self.pieces else {
                return Poll::Ready(match self.ready.is_empty() {
                    false => Some(Ok(self.ready.split().freeze())),
                    true => self.failed.take().map(Err),
                });
            };
            match pieces.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    self.ready.extend_from_slice(&piece);
                    self.waited = false;
                }
                Poll::Ready(last) => {
                    self.failed = last.and_then(Result::err);
                    self.pieces = None;
                }
                Poll::Pending if self.ready.is_empty() => return Poll::Pending,
                Poll::Pending if self.waited => {
                    self.waited = false;
                    return Poll::Ready(Some(Ok(self.ready.split().freeze())));
                }
                Poll::Pending => {
                    self.waited = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::mpsc;

    fn pieces_of(body: Body) -> impl Stream<Item = Result<String, axum::Error>> {
        let text = |piece: Bytes| String::from_utf8(piece.to_vec()).unwrap();
        body.into_data_stream().map(move |piece| piece.map(text))
    }

    #[tokio::test]
    async fn what_is_ready_goes_together_and_waits_for_nothing_else() {
        let (sender, pieces) = mpsc::unbounded::<Result<&str, std::io::Error>>();
        let mut packed = Box::pin(pieces_of(packed(Body::from_stream(pieces))));
        for piece in ["a", "b"] {
            sender.unbounded_send(Ok(piece)).unwrap();
        }
        assert_eq!(packed.next().await.unwrap().unwrap(), "ab");
        sender.unbounded_send(Ok("c")).unwrap();
        assert_eq!(packed.next().await.unwrap().unwrap(), "c");
        assert!(futures::poll!(packed.next()).is_pending());
        sender.unbounded_send(Ok("d")).unwrap();
        sender
            .unbounded_send(Err(std::io::Error::other("broken")))
            .unwrap();
        assert_eq!(packed.next().await.unwrap().unwrap(), "d");
        assert!(packed.next().await.unwrap().is_err());
        assert!(packed.next().await.is_none());
    }

    #[tokio::test]
    async fn another_task_gets_one_turn_to_bring_more() {
        let (mut sender, pieces) = mpsc::channel::<Result<&str, std::io::Error>>(0);
        let packed = pieces_of(packed(Body::from_stream(pieces)));
        let sending = tokio::spawn(async move {
            for piece in ["a", "b", "c", "d"] {
                futures::SinkExt::send(&mut sender, Ok(piece)).await.unwrap();
            }
        });
        let received: Vec<String> = packed.map(Result::unwrap).collect().await;
        sending.await.unwrap();
        assert_eq!(received.concat(), "abcd");
        assert!(received.len() < 4, "{received:?}");
    }

    #[tokio::test]
    async fn little_is_held_back() {
        let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1000])).take(100);
        let mut packed = packed(Body::from_stream(pieces)).into_data_stream();
        let mut whole = 0;
        while let Some(piece) = packed.next().await {
            let length = piece.unwrap().len();
            assert!(length < MOST + 1000);
            whole += length;
        }
        assert_eq!(whole, 100_000);
    }
}
