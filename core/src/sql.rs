//! The one kind of SQL that is not a constant: the embeddings table of a vector length.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Puts a vector length into a statement written with `{dim}`. Only a number can get in.
pub(crate) fn for_dimensions(statement: &'static str, dimensions: usize) -> SqlStr {
    AssertSqlSafe(statement.replace("{dim}", &dimensions.to_string())).into_sql_str()
}
