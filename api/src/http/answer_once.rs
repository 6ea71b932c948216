//! Answers of models that a client may safely ask for again: with an `Idempotency-Key` the first answer is kept for a day,
//! and a repetition gets it, byte for byte, at no cost.

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, header};
use insula_core::Error;
use insula_core::idempotency::{Claim, KeptAnswer, Repeatable};
use insula_tenancy::{Db, TenantContext};
use tracing::Instrument;

use super::once::{REPLAYED, json_response};
use super::{ApiError, ApiResult, Once};
use crate::app::App;
use crate::routes::chat::sse;
use crate::routes::responses;

/// Longest answer that is kept, in bytes. A longer one is given, and made again for a repetition.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// What a stream ends with that is whole.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Gives the answer to an earlier request with this key, or `answer`, which is then kept.
///
/// An answer in one piece is made even if the client leaves meanwhile: with the key it comes back for it. A stream ends with
/// its client, and is kept only if it was whole.
///
/// # Errors
/// 400 when the key was used for another request, 409 while that is still being answered; what `answer` fails with, and then
/// the key is free again.
pub async fn answer_once(
    once: Once,
    app: &App,
    cx: &TenantContext,
    answer: impl Future<Output = ApiResult<Response>> + Send + 'static,
) -> ApiResult<Response> {
    let Some(repeatable) = once.of(cx)? else {
        return answer.await;
    };
    let mut tx = app.services.db.tenant(cx).await?;
    let claim = repeatable.claim(&mut tx).await?;
    tx.commit().await?;
    match claim {
        Claim::Answered(kept) => Ok(replay(kept)),
        Claim::UnderWay => Err(ApiError::UnderWay),
        Claim::New => {
            let claimed = Claimed(Some(Held {
                db: app.services.db.clone(),
                cx: cx.clone(),
                repeatable,
            }));
            let answered = tokio::spawn(finish(claimed, answer).in_current_span()).await;
            answered.map_err(Error::internal)?
        }
    }
}

fn replay(kept: KeptAnswer) -> Response {
    let mut response = if kept.streamed {
        sse::text(kept.body)
    } else {
        json_response(kept.body)
    };
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

async fn finish(claimed: Claimed, answer: impl Future<Output = ApiResult<Response>>) -> ApiResult<Response> {
    // An error drops the claim.
    let (head, body) = answer.await?.into_parts();
    let kind = head.headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        let kept = Following {
            claimed,
            text: Some(Vec::new()),
        };
        let frames = stream::unfold((body.into_data_stream(), kept), async |(mut frames, mut kept)| {
            let frame = frames.next().await?;
            if let Ok(bytes) = &frame {
                kept.note(bytes).await;
            }
            Some((frame, (frames, kept)))
        });
        return Ok(Response::from_parts(head, Body::from_stream(frames)));
    }
    let bytes = to_bytes(body, usize::MAX).await.map_err(Error::internal)?;
    claimed.keep(&bytes, false).await;
    Ok((head, Body::from(bytes)).into_response())
}

/// A key that is claimed. Dropped, it is released.
struct Claimed(Option<Held>);

struct Held {
    db: Db,
    cx: TenantContext,
    repeatable: Repeatable,
}

impl Claimed {
    /// Keeps the answer before anybody gets it. If that fails the key stays claimed for a while: rather no answer than one
    /// that is charged twice.
    async fn keep(mut self, body: &[u8], streamed: bool) {
        let text = std::str::from_utf8(body)
            .ok()
            .filter(|text| text.len() <= KEPT_BYTES);
        let Some(body) = text.map(str::to_owned) else {
            return;
        };
        let Some(held) = self.0.take() else { return };
        let kept = async {
            let mut tx = held.db.tenant(&held.cx).await?;
            held.repeatable
                .keep(&mut tx, &KeptAnswer { body, streamed })
                .await?;
            Ok::<_, Error>(tx.commit().await?)
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "an answer was not kept under its idempotency key");
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        let release = async move {
            let mut tx = held.db.tenant(&held.cx).await?;
            held.repeatable.release(&mut tx).await?;
            Ok::<_, Error>(tx.commit().await?)
        };
        tokio::spawn(async move {
            if let Err(error) = release.await {
                tracing::warn!(%error, "an idempotency key was not released");
            }
        });
    }
}

/// Whether a stream has ended well.
fn is_whole(text: &[u8]) -> bool {
    if text.ends_with(DONE) {
        return true;
    }
    let Some(events) = text.strip_suffix(b"\n\n") else {
        return false;
    };
    let gap = events.windows(2).rposition(|pair| pair == b"\n\n");
    let last = gap.map_or(0, |at| at + 2);
    let ends = responses::stream::ENDS;
    ends.iter().any(|end| events[last..].starts_with(end))
}

/// A stream that is kept when it has ended well.
struct Following {
    claimed: Claimed,
    /// What came so far, as long as it is not too much.
    text: Option<Vec<u8>>,
}

impl Following {
    async fn note(&mut self, bytes: &Bytes) {
        let Some(text) = &mut self.text else { return };
        text.extend_from_slice(bytes);
        if text.len() > KEPT_BYTES {
            self.text = None;
        } else if is_whole(text) {
            let claimed = Claimed(self.claimed.0.take());
            claimed.keep(text, true).await;
        }
    }
}
