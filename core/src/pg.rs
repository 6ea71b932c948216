//! pgvector's types on the wire. (The `pgvector` crate binds them for sqlx 0.8 only; with sqlx 0.9 it would bring a
//! second sqlx into the tree.) Formats: `halfvec_send` and `sparsevec_send` in pgvector's sources.

use half::f16;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// A vector in half precision: what embeddings are stored and compared as.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Halfvec(Vec<f16>);

impl Halfvec {
    /// Rounds each component to half precision.
    pub(crate) fn new(vector: &[f32]) -> Self {
        Self(vector.iter().copied().map(f16::from_f32).collect())
    }

    /// Its components.
    pub(crate) fn values(&self) -> impl Iterator<Item = f32> {
        self.0.iter().map(|value| value.to_f32())
    }
}

impl Type<Postgres> for Halfvec {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("halfvec")
    }
}

impl PgHasArrayType for Halfvec {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_halfvec")
    }
}

impl Encode<'_, Postgres> for Halfvec {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&u16::try_from(self.0.len())?.to_be_bytes());
        buffer.extend_from_slice(&0u16.to_be_bytes());
        for value in &self.0 {
            buffer.extend_from_slice(&value.to_be_bytes());
        }
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Halfvec {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?;
        let (head, rest) = bytes.split_at_checked(4).ok_or("a halfvec without its head")?;
        let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
        let (values, odd) = rest.as_chunks::<2>();
        if values.len() != length || !odd.is_empty() {
            return Err("a halfvec of another length than it says".into());
        }
        Ok(Self(
            values.iter().map(|value| f16::from_be_bytes(*value)).collect(),
        ))
    }
}

/// A vector of which almost all components are zero: BM25's view of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sparsevec {
    /// Position (from 1, as Postgres prints it) and value, ascending, no zero values.
    entries: Vec<(i32, f32)>,
}

impl Sparsevec {
    /// Length of every sparse vector in the schema.
    pub(crate) const DIMENSIONS: i32 = 1_000_000_000;

    /// From term ids in `1..=DIMENSIONS` with their weights, in any order.
    pub(crate) fn new(mut entries: Vec<(i32, f32)>) -> Self {
        entries.retain(|(_, value)| *value != 0.0);
        entries.sort_unstable_by_key(|(component, _)| *component);
        entries.dedup_by_key(|(component, _)| *component);
        Self { entries }
    }

    /// The term ids that are set, ascending.
    pub(crate) fn positions(&self) -> impl Iterator<Item = i32> {
        self.entries.iter().map(|(position, _)| *position)
    }

    /// Whether no component is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Type<Postgres> for Sparsevec {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("sparsevec")
    }
}

impl PgHasArrayType for Sparsevec {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_sparsevec")
    }
}

impl Encode<'_, Postgres> for Sparsevec {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&Self::DIMENSIONS.to_be_bytes());
        buffer.extend_from_slice(&i32::try_from(self.entries.len())?.to_be_bytes());
        buffer.extend_from_slice(&0i32.to_be_bytes());
        for (component, _) in &self.entries {
            // On the wire positions count from 0.
            buffer.extend_from_slice(&(component - 1).to_be_bytes());
        }
        for (_, value) in &self.entries {
            buffer.extend_from_slice(&value.to_be_bytes());
        }
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_vectors_are_sorted_and_without_zeros() {
        let vector = Sparsevec::new(vec![(7, 1.0), (3, 2.0), (5, 0.0), (7, 9.0)]);
        assert_eq!(vector.entries, vec![(3, 2.0), (7, 1.0)]);
        assert!(Sparsevec::new(vec![(1, 0.0)]).is_empty());
    }
}
