//! Token ids become vectors of unit length.

use ort::session::SessionOutputs;

use super::graph::{Graph, Row};
use crate::batch::{BoxError, Engine};

/// Outputs that hold what we want, the best first. A graph that has none of them is asked for its first.
const OUTPUTS: [&str; 3] = ["sentence_embedding", "text_embeds", "last_hidden_state"];

/// How the vectors of tokens become one vector. Does nothing when the graph pools by itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// That of the first token.
    Cls,
}

/// One loaded copy of the model.
pub(super) struct Encoder {
    pub(super) graph: Graph,
    pub(super) pooling: Pooling,
    pub(super) dimensions: usize,
}

impl Engine for Encoder {
    fn embed(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, BoxError> {
        let rows: Vec<Row<'_>> = texts.iter().map(|ids| Row { ids, types: &[] }).collect();
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let (pooling, dimensions) = (self.pooling, self.dimensions);
        let outputs = self.graph.run(&rows)?;
        let (shape, values) = output(&outputs)?;
        let mut vectors = pool(&shape, values, &lengths, pooling, dimensions)?;
        for vector in &mut vectors {
            normalize(vector)?;
        }
        Ok(vectors)
    }
}

fn output<'a>(outputs: &'a SessionOutputs<'_>) -> Result<(Vec<i64>, &'a [f32]), BoxError> {
    let named = OUTPUTS.iter().find_map(|name| outputs.get(*name));
    let value = match named {
        Some(value) => value,
        None if outputs.len() > 0 => &outputs[0],
        None => return Err("the model has no output".into()),
    };
    let (shape, values) = value.try_extract_tensor::<f32>()?;
    Ok((shape.to_vec(), values))
}

/// One vector per text, of the tokens' vectors `[texts, tokens, dimensions]` or of what is pooled already `[texts, dimensions]`.
fn pool(
    shape: &[i64],
    values: &[f32],
    lengths: &[usize],
    pooling: Pooling,
    dimensions: usize,
) -> Result<Vec<Vec<f32>>, BoxError> {
    let shape: Vec<usize> = shape
        .iter()
        .map(|size| usize::try_from(*size))
        .collect::<Result<_, _>>()?;
    match shape[..] {
        [texts, width] if texts == lengths.len() && width == dimensions => {
            Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
        }
        [texts, tokens, width] if texts == lengths.len() && width == dimensions => {
            let of_text = values.chunks_exact(tokens * width);
            Ok(of_text
                .zip(lengths)
                .map(|(values, length)| {
                    let counted = match pooling {
                        Pooling::Mean => *length,
                        Pooling::Cls => 1,
                    };
                    // The mean's divisor cancels when the vector is made of unit length.
                    let mut sum = vec![0.0; width];
                    for token in values.chunks_exact(width).take(counted) {
                        for (total, value) in sum.iter_mut().zip(token) {
                            *total += value;
                        }
                    }
                    sum
                })
                .collect())
        }
        _ => Err(format!(
            "the model gave an output of the shape {shape:?} for {} texts of {dimensions} dimensions",
            lengths.len()
        )
        .into()),
    }
}

fn normalize(vector: &mut [f32]) -> Result<(), BoxError> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_finite() {
        return Err("the model gave values that are not finite".into());
    }
    for x in vector {
        *x /= length.max(f32::MIN_POSITIVE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two texts of three and one tokens, two dimensions, and padding that would show.
    const TOKENS: [f32; 12] = [1.0, 0.0, 0.0, 1.0, 2.0, 2.0, 0.0, 3.0, 9.0, 9.0, 9.0, 9.0];

    #[test]
    fn padding_counts_for_nothing() {
        let pooled = |pooling| pool(&[2, 3, 2], &TOKENS, &[3, 1], pooling, 2).unwrap();
        assert_eq!(pooled(Pooling::Mean), [[3.0, 3.0], [0.0, 3.0]]);
        assert_eq!(pooled(Pooling::Cls), [[1.0, 0.0], [0.0, 3.0]]);
        let whole = pool(&[6, 2], &TOKENS, &[1; 6], Pooling::Mean, 2).unwrap();
        assert_eq!(whole[2], [2.0, 2.0]);
    }

    #[test]
    fn an_output_of_another_shape_is_refused() {
        for shape in [&[2, 3, 3][..], &[3, 2, 2], &[12], &[2, 6], &[-1, 3, 2]] {
            assert!(
                pool(shape, &TOKENS, &[3, 1], Pooling::Mean, 2).is_err(),
                "{shape:?}"
            );
        }
    }

    #[test]
    fn vectors_are_of_unit_length_and_finite() {
        let mut vector = [3.0, 4.0];
        normalize(&mut vector).unwrap();
        assert_eq!(vector, [0.6, 0.8]);
        let mut nothing = [0.0, 0.0];
        normalize(&mut nothing).unwrap();
        assert_eq!(nothing, [0.0, 0.0]);
        assert!(normalize(&mut [f32::NAN, 1.0]).is_err());
        assert!(normalize(&mut [f32::INFINITY, 1.0]).is_err());
    }
}
