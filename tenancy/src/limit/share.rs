//! How large a slice is.

/// What a server asks for: a part of what is left, so that slices shrink as the end comes near and the last ones are
/// single; and at least what it needs now.
pub(super) fn slice(left: i64, servers: i64, need: i64) -> i64 {
    (left / (2 * servers)).max(need)
}

/// What a server that cannot ask admits by itself in a minute: a small part of its fair share, but not nothing.
pub(super) fn emergency(limit: i64, servers: i64) -> i64 {
    if limit == 0 {
        return 0;
    }
    (limit / (4 * servers)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_number_of_servers_uses_up_a_limit_and_no_more(limit in 0i64..10_000, servers in 1i64..8) {
            let mut taken = 0;
            let mut rounds = 0;
            while taken < limit {
                let slice = slice(limit - taken, servers, 1).min(limit - taken);
                prop_assert!(slice >= 1);
                taken += slice;
                rounds += 1;
            }
            prop_assert_eq!(taken, limit);
            prop_assert!(rounds <= 40 * servers, "{} rounds", rounds);
        }

        #[test]
        fn without_the_database_all_servers_stay_below_the_limit(limit in 8i64..1_000_000, servers in 1i64..8) {
            prop_assert!(emergency(limit, servers) * servers <= limit);
        }
    }
}
