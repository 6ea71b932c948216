//! Texts to token ids, by the tokenizer that came with the model. A tokenizer is made of its tenant's patterns, and so it works
//! where the model does.

use insula_core::prediction::{Datatype, Signature, Tensor};
use insula_core::registry::TextSteps;
use tokenizers::{Encoding, Tokenizer, TruncationParams};

use super::Done;

/// A tokenizer that neither pads nor cuts by itself.
pub(super) struct Texts {
    tokenizer: Tokenizer,
    /// What rows are filled up with.
    padding: u32,
}

impl Texts {
    pub(super) fn new(bytes: &[u8]) -> Done<Self> {
        let mut tokenizer =
            Tokenizer::from_bytes(bytes).map_err(|error| format!("The tokenizer cannot be read: {error}"))?;
        let padding = tokenizer.get_padding().map_or(0, |padding| padding.pad_id);
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, padding })
    }

    /// The inputs that the model has for texts, padded to the longest.
    pub(super) fn tensors(
        &self,
        steps: &TextSteps,
        texts: &[String],
        signature: &Signature,
    ) -> Done<Vec<Tensor>> {
        let mut tokenizer = self.tokenizer.clone();
        let truncation = TruncationParams {
            max_length: steps.max_tokens as usize,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| format!("The texts cannot be cut: {error}"))?;
        let encodings = texts
            .iter()
            .map(|text| tokenizer.encode(text.as_str(), true))
            .collect::<Result<Vec<Encoding>, _>>()
            .map_err(|error| format!("A text cannot be tokenized: {error}"))?;
        // Some graphs want one length.
        let wanted = signature
            .inputs
            .iter()
            .find(|input| input.name == steps.ids)
            .and_then(|input| usize::try_from(*input.shape.get(1)?).ok());
        let longest = encodings.iter().map(Encoding::len).max().unwrap_or(0).max(1);
        let length = wanted.unwrap_or(longest);
        let mut tensors = Vec::new();
        for input in &signature.inputs {
            let numbers = |encoding: &Encoding| match &input.name {
                name if *name == steps.ids => Some((encoding.get_ids().to_vec(), self.padding)),
                name if *name == steps.mask => Some((encoding.get_attention_mask().to_vec(), 0)),
                name if *name == steps.types => Some((encoding.get_type_ids().to_vec(), 0)),
                _ => None,
            };
            let mut data = Vec::new();
            for encoding in &encodings {
                let (mut row, padding) = numbers(encoding).ok_or_else(|| {
                    format!(
                        "The model has an input '{}' that no text is made for.",
                        input.name
                    )
                })?;
                row.resize(length, padding);
                for number in row {
                    match input.datatype {
                        Datatype::Int64 => data.extend(i64::from(number).to_le_bytes()),
                        Datatype::Int32 => data.extend(number.cast_signed().to_le_bytes()),
                        other => return Err(format!("The model's input '{}' is of {other}.", input.name)),
                    }
                }
            }
            let shape = vec![texts.len(), length];
            let tensor = Tensor::new(&input.name, input.datatype, shape, data.into());
            tensors.push(tensor.map_err(|error| error.to_string())?);
        }
        Ok(tensors)
    }
}
