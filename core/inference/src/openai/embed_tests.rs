use super::*;

#[test]
fn shares_add_up_to_the_total() {
    for (total, counted) in [
        (10, vec![1, 2, 3]),
        (0, vec![5, 5]),
        (7, vec![0, 0, 0]),
        (1, vec![100, 1]),
        (MOST_TOKENS, vec![usize::MAX, 1]),
    ] {
        let shares = share(total, &counted);
        let sum: u128 = shares.iter().map(|&share| share as u128).sum();
        assert_eq!(
            (shares.len(), sum),
            (counted.len(), u128::from(total)),
            "{counted:?}"
        );
    }
    assert_eq!(share(12, &[4, 4]), [6, 6]);
    assert_eq!(share(u64::MAX, &[1]), [MOST_TOKENS as usize]);
}
