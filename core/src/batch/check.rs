//! Reading a batch through before its first line is called: a mistake in line 40,000 is told at once and costs nothing.

use std::collections::{HashMap, HashSet};

use insula_tenancy::TenantContext;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, BufReader};

use super::input::{self, Lines};
use super::{Batch, BatchError, Callable, MOST_LINES};
use crate::blob::storage_error;
use crate::route::tenant;
use crate::{Error, Result, Services, assistant, file};

/// The input of a batch.
pub(super) type Input = Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>;

/// Mistakes after which nobody reads on.
const MOST_ERRORS: usize = 100;

/// Counts the lines of a batch.
///
/// # Errors
/// Inside, what is wrong with them; outside, what kept them from being read.
pub(super) async fn check(
    services: &Services,
    cx: &TenantContext,
    batch: &Batch,
) -> Result<Result<i32, Vec<BatchError>>> {
    let Some(mut lines) = open(services, cx, batch).await? else {
        return Ok(Err(vec![no_input(batch)]));
    };
    let (mut total, mut errors) = (0, Vec::new());
    let mut ids = HashSet::new();
    let mut models = HashMap::new();
    while let Some(line) = lines.next().await.map_err(storage_error)? {
        total += 1;
        if total > MOST_LINES {
            errors.push(of_the_batch(
                "too_many_lines",
                format!("A batch has at most {MOST_LINES} lines."),
            ));
            break;
        }
        if errors.len() >= MOST_ERRORS {
            break;
        }
        let asked = match input::read(&line, batch.endpoint) {
            Ok(asked) => asked,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let digest: [u8; 32] = Sha256::digest(&asked.custom_id).into();
        if !ids.insert(digest) {
            errors.push(BatchError {
                code: "duplicate_custom_id".into(),
                message: "Another line has this custom_id already.".into(),
                param: Some("custom_id".into()),
                line: Some(line.at.line),
            });
        }
        let known = match models.get(&asked.model) {
            Some(known) => *known,
            None => {
                let known = is_known(services, cx, batch.endpoint, &asked.model).await?;
                models.insert(asked.model.clone(), known);
                known
            }
        };
        if !known {
            let shown: String = asked
                .model
                .chars()
                .filter(|c| !c.is_control())
                .take(100)
                .collect();
            errors.push(BatchError {
                code: "model_not_found".into(),
                message: format!(
                    "The model '{shown}' does not exist, or is not one for '{}'.",
                    batch.endpoint.path()
                ),
                param: Some("body.model".into()),
                line: Some(line.at.line),
            });
        }
    }
    if total == 0 {
        errors.push(of_the_batch(
            "empty_file",
            "The input file has no lines; write one JSON object per line.".into(),
        ));
    }
    Ok(if errors.is_empty() { Ok(total) } else { Err(errors) })
}

/// The lines of a batch; `None` if its input is gone.
pub(super) async fn open(services: &Services, cx: &TenantContext, batch: &Batch) -> Result<Option<Input>> {
    let data = match file::content(services, cx, batch.input_file_id).await {
        Ok((_, data, _)) => data,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Lines::new(BufReader::with_capacity(64 * 1024, data))))
}

/// The mistake of a batch whose input is gone.
pub(super) fn no_input(batch: &Batch) -> BatchError {
    BatchError {
        param: Some("input_file_id".into()),
        ..of_the_batch(
            "input_file_not_found",
            format!("The input file '{}' was deleted.", batch.input_file_id),
        )
    }
}

/// A mistake that is of no line.
pub(super) fn of_the_batch(code: &str, message: String) -> BatchError {
    BatchError {
        code: code.into(),
        message,
        param: None,
        line: None,
    }
}

/// Whether the tenant can call that model there.
async fn is_known(services: &Services, cx: &TenantContext, endpoint: Callable, model: &str) -> Result<bool> {
    // What the database cannot hold is nobody's name.
    if model.contains('\0') {
        return Ok(false);
    }
    if endpoint == Callable::Embeddings {
        return Ok(tenant::find_embedder(services, cx, model).await?.is_some());
    }
    if tenant::find(services, cx, model)
        .await?
        .is_some_and(|choice| choice.route.is_chat())
    {
        return Ok(true);
    }
    let mut tx = services.db.tenant(cx).await?;
    let found = assistant::find_by_name(&mut tx, model).await?;
    tx.commit().await?;
    Ok(found.is_some())
}
