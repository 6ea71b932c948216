//! A graph in a session of ONNX Runtime: token ids in, numbers out.

use std::path::Path;

use ort::ep::CUDA;
use ort::session::builder::SessionBuilder;
use ort::session::{Session, SessionOutputs};
use ort::value::Tensor;

use super::files::corrupt;
use super::{Device, LoadError, runtime};
use crate::batch::BoxError;

/// What the graph is given for one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// Token ids, special tokens included.
    pub(super) ids: &'a [u32],
    /// Which part of a pair each token is of; empty: all are of the first.
    pub(super) types: &'a [u32],
}

/// A loaded graph with the inputs of BERT and its kin.
pub(super) struct Graph {
    session: Session,
    takes_types: bool,
}

impl Graph {
    /// Loads the bytes of the file at `path`. On a card all of it runs there, or it is not loaded: what went back to the processor
    /// unseen would be slower than no card at all.
    pub(super) fn load(
        library: &Path,
        device: Device,
        threads: usize,
        path: &Path,
        bytes: &[u8],
    ) -> Result<Self, LoadError> {
        let environment = runtime::environment(library)?;
        let damaged = |error: &dyn std::fmt::Display| corrupt(path, error);
        let broken = |error: ort::Error<SessionBuilder>| corrupt(path, error);
        let mut builder = Session::builder(&environment)
            .map_err(|error| damaged(&error))?
            .with_intra_threads(threads.max(1))
            .map_err(broken)?
            // Idle pool threads must not spin: the cores are shared with Postgres and the server itself.
            .with_config_entry("session.intra_op.allow_spinning", "0")
            .map_err(broken)?;
        if let Device::Cuda(number) = device {
            let refused = |error: ort::Error<SessionBuilder>| LoadError::Device {
                device,
                reason: error.to_string(),
            };
            let card = CUDA::default().with_device_id(i32::from(number)).build();
            builder = builder
                .with_disable_cpu_fallback()
                .map_err(broken)?
                .with_execution_providers([card.error_on_failure()])
                .map_err(refused)?;
        }
        let session = builder.commit_from_memory(bytes).map_err(|error| match device {
            Device::Cpu => damaged(&error),
            Device::Cuda(_) => LoadError::Device {
                device,
                reason: format!("{}: {error}", path.display()),
            },
        })?;
        let takes_types = session
            .inputs()
            .iter()
            .any(|input| input.name() == "token_type_ids");
        Ok(Self { session, takes_types })
    }

    /// Runs the graph on all rows at once, which are padded to the longest.
    pub(super) fn run(&mut self, rows: &[Row<'_>]) -> Result<SessionOutputs<'_>, BoxError> {
        let length = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let padded = |fill: &dyn Fn(&Row<'_>, &mut Vec<i64>)| {
            let mut all = Vec::with_capacity(rows.len() * length);
            for (n, row) in rows.iter().enumerate() {
                fill(row, &mut all);
                all.resize((n + 1) * length, 0);
            }
            Tensor::from_array(([rows.len(), length], all))
        };
        let ids = padded(&|row, all| all.extend(row.ids.iter().map(|id| i64::from(*id))))?;
        let mask = padded(&|row, all| all.extend(row.ids.iter().map(|_| 1)))?;
        let mut inputs = ort::inputs!["input_ids" => ids, "attention_mask" => mask];
        if self.takes_types {
            let types = padded(&|row, all| all.extend(row.types.iter().map(|kind| i64::from(*kind))))?;
            inputs.push(("token_type_ids".into(), types.into()));
        }
        Ok(self.session.run(inputs)?)
    }
}
