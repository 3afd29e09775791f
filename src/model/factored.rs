//! Products of two thin matrices that are never multiplied out, such as a head's circuits.

use super::linalg::{Svd, Thin};

/// The product `left right^T` of two thin matrices, such as `W_V W_O` or `W_Q W_K^T`.
#[derive(Clone, Debug)]
pub(super) struct Factored {
    /// `[d_model, d_head]`
    pub left: Thin,

    /// `[d_model, d_head]`
    pub right: Thin,
}

impl Factored {
    /// The product's singular value decomposition, from that of a `d_head × d_head` matrix: with
    /// `left = Q R` and `right = P T` the product is `Q (R T^T) P^T`. It has at most `d_head`
    /// singular values.
    pub fn svd(&self) -> Svd {
        let (q, r) = self.left.qr();
        let (p, t) = self.right.qr();
        let core = r.times(&t.transposed()).svd();
        Svd { u: q.times(&core.u), s: core.s, v: p.times(&core.v) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::linalg::norm;
    use super::*;

    #[test]
    fn a_product_is_known_by_its_factors() {
        let wave = |n: usize, speed: f64| (0..n).map(|at| (speed * at as f64).sin()).collect();
        let thin = |n: usize, first: f64| Thin {
            columns: (0..4).map(|nth| wave(n, first + 0.37 * nth as f64)).collect(),
        };
        let product = Factored { left: thin(30, 0.9), right: thin(20, 1.3) };
        let dense = product.left.times(&product.right.transposed());
        let Svd { u, s, v } = product.svd();
        let again = u.scaled(&s).times(&v.transposed());
        for (found, expected) in again.columns.concat().iter().zip(dense.columns.concat()) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!((norm(&s) - norm(&dense.columns.concat())).abs() < 1e-12);
    }
}
