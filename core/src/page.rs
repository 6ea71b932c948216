//! Lists with cursors, as OpenAI's clients walk them: the next `after` is the id of the last element.

use uuid::Uuid;

use crate::Error;

/// Direction of a list by creation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Most elements to return, at least 1.
    pub limit: i64,
    /// Direction.
    pub order: Order,
    /// Only elements that follow this one.
    pub after: Option<Uuid>,
    /// Only elements that precede this one; without `after`, the nearest ones.
    pub before: Option<Uuid>,
}

impl Page {
    /// The first `limit` elements, newest first.
    pub fn first(limit: i64) -> Self {
        Self {
            limit,
            order: Order::Desc,
            after: None,
            before: None,
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The elements, in the order asked for.
    pub data: Vec<T>,
    /// Whether more follow in the direction of the walk.
    pub has_more: bool,
}

impl<T> Listing<T> {
    /// Maps the elements.
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> Listing<U> {
        Listing {
            data: self.data.into_iter().map(map).collect(),
            has_more: self.has_more,
        }
    }
}

/// How a page is scanned: from which cursor, to which cursor, in which direction.
pub(crate) struct Scan {
    pub(crate) ascending: bool,
    pub(crate) from: Option<Uuid>,
    pub(crate) to: Option<Uuid>,
    /// One more than asked for, to learn whether there are more.
    pub(crate) limit: i64,
    reversed: bool,
}

impl Page {
    /// The cursors that the client sent, by the name of their parameter.
    pub(crate) fn cursors(self) -> impl Iterator<Item = (&'static str, Uuid)> {
        [("after", self.after), ("before", self.before)]
            .into_iter()
            .filter_map(|(param, cursor)| Some((param, cursor?)))
    }

    pub(crate) fn scan(self) -> Scan {
        let forward = self.order == Order::Asc;
        // "before" alone means the elements just before the cursor: walk backwards from it.
        let reversed = self.before.is_some() && self.after.is_none();
        let (from, to) = if reversed {
            (self.before, None)
        } else {
            (self.after, self.before)
        };
        Scan {
            ascending: forward != reversed,
            from,
            to,
            limit: self.limit + 1,
            reversed,
        }
    }
}

impl Scan {
    pub(crate) fn finish<T>(&self, mut rows: Vec<T>) -> Listing<T> {
        let wanted = usize::try_from(self.limit - 1).unwrap_or(0);
        let has_more = rows.len() > wanted;
        rows.truncate(wanted);
        if self.reversed {
            rows.reverse();
        }
        Listing { data: rows, has_more }
    }
}

/// The refusal of a cursor that is not the id of `what`: another tenant's id and one that never was get the same.
pub(crate) fn unknown_cursor(param: &str, what: &str) -> Error {
    Error::invalid(param, format!("This cursor is not the id of {what}."))
}

/// Both directions of a keyset-paged statement, as static SQL. `$from`, `$to` and `$limit` are placeholders; the rows
/// are ordered by `created_at` and then by `id`, so that ties have an order too.
macro_rules! paged {
    (select $columns:literal from $table:literal, id $id:literal, cursor $cursor:literal, where $filter:literal,
     $from:literal $to:literal $limit:literal) => {
        (
            paged!(@one $columns $table $id $cursor $filter $from $to $limit ">" "<" ""),
            paged!(@one $columns $table $id $cursor $filter $from $to $limit "<" ">" " desc"),
        )
    };
    (@one $columns:literal $table:literal $id:literal $cursor:literal $filter:literal $from:literal $to:literal
     $limit:literal $behind:literal $before:literal $direction:literal) => {
        concat!(
            "select ", $columns, " from ", $table, " where ", $filter,
            " and ", paged!(@bound $id $cursor $from $behind),
            " and ", paged!(@bound $id $cursor $to $before),
            " order by created_at", $direction, ", ", $id, $direction, " limit ", $limit
        )
    };
    (@bound $id:literal $cursor:literal $at:literal $than:literal) => {
        concat!(
            "(", $at, "::uuid is null or (created_at, ", $id, ") ", $than, " (select created_at, ", $id, " from ",
            $cursor, " and ", $id, " = ", $at, "))"
        )
    };
}
pub(crate) use paged;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_alone_walks_backwards_and_returns_in_the_asked_order() {
        let cursor = Some(Uuid::nil());
        let scan = Page {
            limit: 2,
            order: Order::Desc,
            after: None,
            before: cursor,
        }
        .scan();
        assert!(scan.ascending);
        assert_eq!(
            scan.finish(vec![3, 4, 5]),
            Listing {
                data: vec![4, 3],
                has_more: true
            }
        );
        let scan = Page {
            limit: 2,
            order: Order::Desc,
            after: cursor,
            before: None,
        }
        .scan();
        assert!(!scan.ascending);
        assert_eq!(
            scan.finish(vec![9]),
            Listing {
                data: vec![9],
                has_more: false
            }
        );
    }
}
