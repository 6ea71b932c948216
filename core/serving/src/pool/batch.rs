//! Calls put together along the first dimension.

use insula_core::prediction::{Loadable, Tensor};
use tokio::sync::mpsc;

use super::actor::{Ask, Work};

/// Calls that the model answers at once.
pub(super) struct Batch {
    pub(super) asks: Vec<Ask>,
    /// How many rows each has.
    rows: Vec<usize>,
    /// What the model gets. `None` if the calls do not fit together after all.
    pub(super) tensors: Option<Vec<Tensor>>,
}

/// Takes what waits and fits to the first. There is no timer: what is put together came while the model was busy. The first that
/// does not fit is given back.
pub(super) fn gather(
    first: Ask,
    asks: &mut mpsc::UnboundedReceiver<Ask>,
    model: &Loadable,
    most: usize,
) -> (Batch, Option<Ask>) {
    let mut total = rows(&first);
    let mut gathered = vec![first];
    let mut rest = None;
    while model.batches && total.is_some_and(|total| total < most) {
        let Ok(ask) = asks.try_recv() else { break };
        if ask.reply.is_closed() {
            continue;
        }
        let together = total.zip(rows(&ask)).map(|(total, more)| total + more);
        if together.is_some_and(|together| together <= most) && fits(&gathered[0], &ask) {
            total = together;
            gathered.push(ask);
        } else {
            rest = Some(ask);
            break;
        }
    }
    (Batch::of(gathered), rest)
}

fn tensors(ask: &Ask) -> &[Tensor] {
    match &ask.work {
        Work::Run(tensors) => tensors,
        Work::Nothing | Work::Texts(..) | Work::Images(..) => &[],
    }
}

/// The length of the first dimension, if all inputs have the same.
fn rows(ask: &Ask) -> Option<usize> {
    let tensors = tensors(ask);
    let rows = tensors.first()?.rows()?;
    tensors
        .iter()
        .all(|tensor| tensor.rows() == Some(rows))
        .then_some(rows)
}

fn fits(first: &Ask, other: &Ask) -> bool {
    let (first, other) = (tensors(first), tensors(other));
    !other.is_empty()
        && first.len() == other.len()
        && first
            .iter()
            .zip(other)
            .all(|(first, other)| first.stacks_with(other))
}

impl Batch {
    fn of(asks: Vec<Ask>) -> Self {
        let together = match asks.as_slice() {
            [only] => Some(tensors(only).to_vec()),
            several => (0..tensors(&several[0]).len())
                .map(|place| Tensor::concat(several.iter().map(|ask| &tensors(ask)[place])))
                .collect(),
        };
        let rows = asks.iter().map(|ask| rows(ask).unwrap_or(1)).collect();
        Self {
            asks,
            rows,
            tensors: together,
        }
    }

    /// The outputs of each call; or the calls, if the outputs do not come apart.
    pub(super) fn split(self, outputs: Vec<Tensor>) -> Result<Vec<(Ask, Vec<Tensor>)>, Vec<Ask>> {
        let mut asks = self.asks;
        if asks.len() == 1 {
            return Ok(asks.drain(..).map(|ask| (ask, outputs.clone())).collect());
        }
        let parts: Option<Vec<_>> = outputs.iter().map(|output| output.split(&self.rows)).collect();
        let Some(parts) = parts else { return Err(asks) };
        let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
        let each = asks.into_iter().map(|ask| {
            let own = parts.iter_mut().filter_map(Iterator::next).collect();
            (ask, own)
        });
        Ok(each.collect())
    }
}
