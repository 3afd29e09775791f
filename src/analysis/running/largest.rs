//! Finds the largest of many values.

/// The indices of the `n` largest values, largest first. Equal values keep their order.
pub(in crate::analysis) fn largest<T: Copy + Into<f64>>(values: &[T], n: usize) -> Vec<usize> {
    let value = |nth: usize| -> f64 { values[nth].into() };
    let mut order: Vec<usize> = (0..values.len()).collect();
    let by_value = |&a: &usize, &b: &usize| value(b).total_cmp(&value(a)).then(a.cmp(&b));
    if n < order.len() {
        if n > 0 {
            order.select_nth_unstable_by(n - 1, by_value);
        }
        order.truncate(n);
    }
    order.sort_unstable_by(by_value);
    order
}

/// The indices of the `n` values with the largest absolute value, largest first.
pub(in crate::analysis) fn largest_by_size<T: Copy + Into<f64>>(
    values: &[T],
    n: usize,
) -> Vec<usize> {
    let sizes: Vec<f64> = values.iter().map(|&it| it.into().abs()).collect();
    largest(&sizes, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_equals_in_order() {
        let values = [1.0, -3.0, 2.0, 2.0, 0.5];
        let empty: [f64; 0] = [];
        assert_eq!(largest(&values, 3), [2, 3, 0]);
        assert_eq!(largest(&values, 9), [2, 3, 0, 4, 1]);
        assert_eq!(largest_by_size(&values, 2), [1, 2]);
        assert_eq!(largest(&values, 0), [0; 0]);
        assert_eq!(largest(&empty, 2), [0; 0]);
    }
}
