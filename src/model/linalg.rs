//! Small dense matrices in double precision: QR, singular values, eigenvalues.
//!
//! A head's circuits are `d_model × d_model` but of rank `d_head`, so all that is asked of them is
//! found from thin matrices of `d_head` columns. Golub & Van Loan 2013, *Matrix Computations*:
//! sections 5.2.8 (modified Gram-Schmidt), 8.6.3 (one-sided Jacobi), 7.5 (shifted QR).
//!
//! burn-linalg, which is in the program already, has QR and SVD but no eigenvalues, and takes tensors:
//! what it would save is lost by carrying numbers there and back.

use num_complex::Complex64;

/// A matrix as its columns, all of one length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thin {
    pub columns: Vec<Vec<f64>>,
}

/// A singular value decomposition, `U diag(S) V^T`.
#[derive(Clone, Debug)]
pub(super) struct Svd {
    pub u: Thin,

    /// The singular values, largest first.
    pub s: Vec<f64>,
    pub v: Thin,
}

impl Thin {
    pub fn n_rows(&self) -> usize {
        self.columns[0].len()
    }

    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// `self other`, where `other` has as many rows as this has columns.
    pub fn times(&self, other: &Self) -> Self {
        let column = |weights: &Vec<f64>| {
            let mut sum = vec![0.0; self.n_rows()];
            for (column, &weight) in self.columns.iter().zip(weights) {
                add_scaled(&mut sum, column, weight);
            }
            sum
        };
        Self { columns: other.columns.iter().map(column).collect() }
    }

    pub fn transposed(&self) -> Self {
        let row = |nth: usize| self.columns.iter().map(|column| column[nth]).collect();
        Self { columns: (0..self.n_rows()).map(row).collect() }
    }

    /// Every column times its own factor.
    pub fn scaled(mut self, factors: &[f64]) -> Self {
        for (column, factor) in self.columns.iter_mut().zip(factors) {
            scale(column, *factor);
        }
        self
    }

    /// `Q` with orthonormal columns (zero where a column depends on those before it) and upper
    /// triangular `R` with `Q R = self`.
    pub fn qr(&self) -> (Self, Self) {
        /// The remainder of a column, as a share of its length, that comes from rounding alone.
        const DEPENDENT: f64 = 1e-13;
        let n = self.n_columns();
        let mut q: Vec<Vec<f64>> = Vec::with_capacity(n);
        let mut r = vec![vec![0.0; n]; n];
        for (nth, column) in self.columns.iter().enumerate() {
            let size = norm(column);
            let mut rest = column.clone();
            // A second time, because rounding leaves some of the earlier columns.
            for _ in 0..2 {
                for (before, q) in q.iter().enumerate() {
                    let along = dot(q, &rest);
                    r[nth][before] += along;
                    add_scaled(&mut rest, q, -along);
                }
            }
            let length = norm(&rest);
            if length > DEPENDENT * size {
                r[nth][nth] = length;
                scale(&mut rest, 1.0 / length);
            } else {
                rest.fill(0.0);
            }
            q.push(rest);
        }
        (Self { columns: q }, Self { columns: r })
    }

    /// The singular values and vectors of a matrix with no more columns than rows. Columns of `U`
    /// whose singular value is 0 are 0.
    pub fn svd(&self) -> Svd {
        /// Far more sweeps than are needed, because convergence is quadratic.
        const MAX_SWEEPS: usize = 60;
        let n = self.n_columns();
        let mut a = self.columns.clone();
        let mut v = identity(n);
        for _ in 0..MAX_SWEEPS {
            let mut is_done = true;
            for p in 0..n {
                for q in p + 1..n {
                    let (alpha, beta) = (dot(&a[p], &a[p]), dot(&a[q], &a[q]));
                    let gamma = dot(&a[p], &a[q]);
                    if gamma == 0.0 || gamma.abs() <= 1e-15 * (alpha * beta).sqrt() {
                        continue;
                    }
                    is_done = false;
                    let zeta = (beta - alpha) / (2.0 * gamma);
                    let tan = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                    let cos = 1.0 / tan.hypot(1.0);
                    rotate(&mut a, p, q, cos, cos * tan);
                    rotate(&mut v, p, q, cos, cos * tan);
                }
            }
            if is_done {
                break;
            }
        }
        let lengths: Vec<f64> = a.iter().map(|column| norm(column)).collect();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| lengths[b].total_cmp(&lengths[a]));
        let unit = |&nth: &usize| {
            let length = lengths[nth];
            a[nth].iter().map(|it| if length > 0.0 { it / length } else { 0.0 }).collect()
        };
        Svd {
            u: Self { columns: order.iter().map(unit).collect() },
            s: order.iter().map(|&nth| lengths[nth]).collect(),
            v: Self { columns: order.iter().map(|&nth| v[nth].clone()).collect() },
        }
    }

    /// The eigenvalues of a square matrix, as real and imaginary parts, in no order.
    pub fn eigenvalues(&self) -> Vec<[f64; 2]> {
        let mut h = self.hessenberg();
        let n = h.len();
        let mut n_tries = 0;
        let mut end = n;
        while end > 1 {
            let last = end - 1;
            let start = (1..end).rev().find(|&row| {
                let diagonal = size(h[row - 1][row - 1]) + size(h[row][row]);
                size(h[row][row - 1]) <= f64::EPSILON * diagonal
            });
            let start = start.unwrap_or(0);
            if start == last {
                end -= 1;
                n_tries = 0;
                continue;
            }
            n_tries += 1;
            // Any other shift breaks a cycle.
            let shift = if n_tries % 10 == 0 {
                h[last][last] + size(h[last][last - 1])
            } else {
                wilkinson(&h, last)
            };
            // A matrix for which this many steps are not enough has not been seen.
            if n_tries > 500 {
                end -= 1;
                n_tries = 0;
                continue;
            }
            qr_step(&mut h, start, end, shift);
        }
        (0..n).map(|nth| [h[nth][nth].re, h[nth][nth].im]).collect()
    }

    /// A similar matrix that is zero below the first subdiagonal, row by row.
    fn hessenberg(&self) -> Vec<Vec<Complex64>> {
        let n = self.n_columns();
        let mut a: Vec<Vec<f64>> = self.transposed().columns;
        for k in 0..n.saturating_sub(2) {
            let below: Vec<f64> = (k + 1..n).map(|row| a[row][k]).collect();
            let length = norm(&below);
            if length == 0.0 {
                continue;
            }
            // A Householder reflection takes `x` to a multiple of the first unit vector.
            let mut v = below;
            v[0] += length.copysign(v[0]);
            let squared = dot(&v, &v);
            let rows = &mut a[k + 1..];
            let mut along = vec![0.0; n];
            for (row, it) in rows.iter().zip(&v) {
                add_scaled(&mut along, row, *it);
            }
            for (row, it) in rows.iter_mut().zip(&v) {
                add_scaled(row, &along, -2.0 / squared * it);
            }
            for row in &mut a {
                let along = dot(&v, &row[k + 1..]);
                add_scaled(&mut row[k + 1..], &v, -2.0 * along / squared);
            }
        }
        let complex = |row: Vec<f64>| row.into_iter().map(Complex64::from).collect();
        a.into_iter().map(complex).collect()
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums, so that the processor need not wait for each addition.
    let mut sums = [0.0; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for nth in 0..8 {
            sums[nth] += a[nth] * b[nth];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add_scaled(sum: &mut [f64], a: &[f64], factor: f64) {
    for (sum, a) in sum.iter_mut().zip(a) {
        *sum += factor * a;
    }
}

fn scale(a: &mut [f64], factor: f64) {
    for a in a {
        *a *= factor;
    }
}

fn identity(n: usize) -> Vec<Vec<f64>> {
    (0..n).map(|p| (0..n).map(|q| if p == q { 1.0 } else { 0.0 }).collect()).collect()
}

fn rotate(columns: &mut [Vec<f64>], p: usize, q: usize, cos: f64, sin: f64) {
    let (left, right) = columns.split_at_mut(q);
    for (a, b) in left[p].iter_mut().zip(&mut right[0]) {
        (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
    }
}

/// The absolute value of a complex number.
fn size(z: Complex64) -> f64 {
    z.re.hypot(z.im)
}

/// The square root whose real part is at least 0.
fn sqrt(z: Complex64) -> Complex64 {
    let real = f64::midpoint(size(z), z.re).max(0.0).sqrt();
    let imaginary = f64::midpoint(size(z), -z.re).max(0.0).sqrt();
    Complex64::new(real, imaginary.copysign(z.im))
}

/// The eigenvalue of the last two rows and columns that is closer to the last number, which serves
/// as the shift.
fn wilkinson(h: &[Vec<Complex64>], last: usize) -> Complex64 {
    let (a, b) = (h[last - 1][last - 1], h[last - 1][last]);
    let (c, d) = (h[last][last - 1], h[last][last]);
    let half = (a - d) * 0.5;
    let root = sqrt(half * half + b * c);
    let middle = (a + d) * 0.5;
    let (one, other) = (middle + root, middle - root);
    if size(one - d) < size(other - d) { one } else { other }
}

/// One step of the shifted QR algorithm: `H - shift = Q R`, then `R Q + shift`, on rows and columns `start..end`.
fn qr_step(h: &mut [Vec<Complex64>], start: usize, end: usize, shift: Complex64) {
    for (nth, row) in h.iter_mut().enumerate().take(end).skip(start) {
        row[nth] -= shift;
    }
    let mut rotations = Vec::with_capacity(end - start);
    for k in start..end - 1 {
        let (a, b) = (h[k][k], h[k + 1][k]);
        let length = size(a).hypot(size(b));
        let (cos, sin) = if length > 0.0 {
            (a * (1.0 / length), b * (1.0 / length))
        } else {
            (Complex64::ONE, Complex64::ZERO)
        };
        rotations.push((cos, sin));
        let (upper, lower) = h.split_at_mut(k + 1);
        for (x, y) in upper[k][k..end].iter_mut().zip(&mut lower[0][k..end]) {
            (*x, *y) = (cos.conj() * *x + sin.conj() * *y, cos * *y - sin * *x);
        }
    }
    for (nth, (cos, sin)) in rotations.into_iter().enumerate() {
        let k = start + nth;
        for row in &mut h[start..(k + 2).min(end)] {
            let (x, y) = (row[k], row[k + 1]);
            row[k] = x * cos + y * sin;
            row[k + 1] = y * cos.conj() - x * sin.conj();
        }
    }
    for (nth, row) in h.iter_mut().enumerate().take(end).skip(start) {
        row[nth] += shift;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    use super::*;

    fn random(n_rows: usize, n_columns: usize, seed: u64) -> Thin {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let column = |_| (0..n_rows).map(|_| StandardNormal.sample(&mut rng)).collect();
        Thin { columns: (0..n_columns).map(column).collect() }
    }

    #[track_caller]
    fn check_equal(a: &Thin, b: &Thin) {
        for (a, b) in a.columns.iter().zip(&b.columns) {
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
        }
    }

    #[track_caller]
    fn check_orthonormal(a: &Thin) {
        let n = a.n_columns();
        check_equal(&a.transposed().times(a), &Thin { columns: identity(n) });
    }

    #[test]
    fn factors_multiply_to_what_they_were_made_of() {
        for (n_rows, n_columns) in [(40, 12), (12, 12), (3, 1)] {
            let a = random(n_rows, n_columns, 1);
            let (q, r) = a.qr();
            check_orthonormal(&q);
            check_equal(&q.times(&r), &a);
            assert!(
                (0..n_columns).all(|nth| r.columns[nth][nth + 1..].iter().all(|it| *it == 0.0))
            );

            let Svd { u, s, v } = a.svd();
            check_orthonormal(&u);
            check_orthonormal(&v);
            assert!(s.is_sorted_by(|a, b| a >= b) && s.iter().all(|it| *it >= 0.0));
            check_equal(&u.scaled(&s).times(&v.transposed()), &a);
        }
    }

    #[test]
    fn a_matrix_without_full_rank_is_no_special_case() {
        let a = random(20, 3, 2).times(&random(6, 3, 3).transposed());
        assert_eq!((a.n_rows(), a.n_columns()), (20, 6));
        let Svd { u, s, v } = a.svd();
        assert!(s[3..].iter().all(|it| *it < 1e-12 * s[0]), "{s:?}");
        check_equal(&u.scaled(&s).times(&v.transposed()), &a);
        let zero = Thin { columns: vec![vec![0.0; 4]; 3] };
        let (q, r) = zero.qr();
        check_equal(&q.times(&r), &zero);
        assert_eq!(zero.svd().s, [0.0; 3]);
        assert_eq!(Thin { columns: vec![vec![0.0; 3]; 3] }.eigenvalues(), [[0.0; 2]; 3]);
    }

    /// The sums of powers of the eigenvalues are the traces of powers of the matrix.
    #[test]
    fn eigenvalues_have_the_traces_of_powers() {
        for (n, seed) in [(1, 4), (2, 5), (3, 6), (16, 7), (64, 8)] {
            let a = random(n, n, seed).scaled(&vec![1.0 / (n as f64).sqrt(); n]);
            let eigenvalues: Vec<Complex64> =
                a.eigenvalues().into_iter().map(|[re, im]| Complex64::new(re, im)).collect();
            let mut power = a.clone();
            let mut powers = eigenvalues.clone();
            for _ in 0..5 {
                let trace: f64 = (0..n).map(|nth| power.columns[nth][nth]).sum();
                let sum = powers.iter().sum::<Complex64>();
                assert!(size(sum - trace) < 1e-10, "{n}: {sum:?} {trace}");
                power = power.times(&a);
                powers = powers.iter().zip(&eigenvalues).map(|(a, b)| *a * *b).collect();
            }
        }
    }

    #[test]
    fn a_rotation_has_eigenvalues_on_the_unit_circle() {
        let (sin, cos) = 0.7_f64.sin_cos();
        let turn = Thin { columns: vec![vec![cos, sin], vec![-sin, cos]] };
        let mut found = turn.eigenvalues();
        found.sort_by(|a, b| a[1].total_cmp(&b[1]));
        for (found, expected) in found.into_iter().zip([[cos, -sin], [cos, sin]]) {
            assert!(
                (found[0] - expected[0]).abs() < 1e-14 && (found[1] - expected[1]).abs() < 1e-14
            );
        }
    }
}
