//! The steps of a transformer block on the CPU, each in one pass over memory and on all cores.
//!
//! burn's CPU backend computes one operation at a time, mostly on one core, and writes each result
//! into a new tensor; half of a GPT-2 pass was spent outside the matrix products. Here a product
//! starts with the bias (and the residual stream) already in its output, activation functions and layer norm run on
//! all cores, and attention reads queries, keys and values where they lie. The numbers equal burn's
//! except for the order of summation.
//!
//! A function returns `None`, or gives its tensor back, only if a tensor is on another device. The
//! caller then computes with burn's operations, which run on any device. A tensor on the CPU that is
//! not contiguous is copied first.

#![expect(
    clippy::result_large_err,
    reason = "the error is the untouched tensor, which the caller computes with in another way"
)]

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};

mod product;
mod attention;
mod rows;
mod vector;

pub(super) use attention::{Heads, PastHeads, attend};
pub(super) use product::{affine, affine_onto, mlp_onto, product_of, project};
pub(super) use rows::{Compared, bend, column, normalize, read_logits};
pub(super) use vector::vectorized;

/// A tensor's numbers, row by row: in place if the tensor is contiguous, else as a copy.
pub(super) struct View {
    tensor: FlexTensor,
    range: Range<usize>,
}

impl View {
    /// `None` if the tensor is on another device.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        Some(Self::of_flex(tensor.clone().try_into_primitive::<Flex>().ok()?))
    }

    fn of_flex(tensor: FlexTensor) -> Self {
        if let Some((start, end)) = tensor.layout().contiguous_offsets() {
            return Self { tensor, range: start..end };
        }
        let tensor = tensor.to_contiguous();
        let n = tensor.layout().num_elements();
        Self { tensor, range: 0..n }
    }

    pub fn values(&self) -> &[f32] {
        &self.tensor.storage::<f32>()[self.range.clone()]
    }
}

/// A matrix's numbers in any memory layout, without a copy.
struct Strided {
    tensor: FlexTensor,
    start: usize,

    /// How many numbers apart two rows are, and two columns.
    strides: [isize; 2],
}

impl Strided {
    /// `None` if the tensor is on another device.
    pub fn of(tensor: &Tensor<2>) -> Option<Self> {
        let tensor = tensor.clone().try_into_primitive::<Flex>().ok()?;
        let layout = tensor.layout();
        let (start, strides) = (layout.start_offset(), [layout.strides()[0], layout.strides()[1]]);
        Some(Self { tensor, start, strides })
    }

    /// The numbers from the matrix's first one on. Some between them may belong to another matrix.
    pub fn values(&self) -> &[f32] {
        &self.tensor.storage::<f32>()[self.start..]
    }
}

/// Changes a tensor in place, or a copy of it if others hold it too or it is not contiguous. The
/// error is the untouched tensor, if it is on another device.
pub(super) fn change<const D: usize>(
    tensor: Tensor<D>,
    change: impl FnOnce(&mut [f32]),
) -> Result<Tensor<D>, Tensor<D>> {
    let Ok(flex) = tensor.clone().try_into_primitive::<Flex>() else { return Err(tensor) };
    // A second holder would make a copy of what is to be changed.
    drop(tensor);
    let View { tensor: mut flex, range } = View::of_flex(flex);
    change(&mut flex.storage_mut::<f32>()[range]);
    Ok(Tensor::from_primitive::<Flex>(flex))
}

/// A tensor on the CPU from its numbers.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// How many rows each task of a parallel loop takes.
fn rows_per_task(n_rows: usize) -> usize {
    n_rows.div_ceil(4 * rayon::current_num_threads()).max(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::{gelu, gelu_approximate, relu, silu, softmax};
    use burn::tensor::{Bool, Int};
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    use super::super::Nonlinearity;
    use super::super::attention::{capped, for_queries};
    use super::super::linear::Linear;
    use super::super::mlp::Mlp;
    use super::super::norm::{Norm, NormKind};
    use super::*;

    fn random<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let normal = StandardNormal.sample_iter(rng).take(shape.iter().product());
        tensor(normal.collect(), shape)
    }

    /// The tolerance allows for rounding in sums of a few hundred products of about 1.
    #[track_caller]
    fn check<const D: usize>(ours: &Tensor<D>, theirs: &Tensor<D>) {
        assert_eq!(ours.dims(), theirs.dims());
        let worst: f32 = (ours.clone() - theirs.clone()).abs().max().into_scalar();
        assert!(worst < 5e-5, "{worst}");
    }

    fn map(d_in: usize, d_out: usize, seed: u64) -> Linear {
        Linear { weight: random([d_in, d_out], seed).into(), bias: Some(random([d_out], seed + 1)) }
    }

    fn burns(x: Tensor<3>, map: &Linear) -> Tensor<3> {
        x.matmul(map.weight.widen().unsqueeze()) + map.offset().unsqueeze()
    }

    #[test]
    fn products_add_to_what_is_there() {
        // Odd sizes, and more tokens than one block of the MLP takes.
        for [batch, n_pos, d_in, d_out] in [[1, 1, 3, 5], [3, 7, 33, 17], [90, 6, 48, 100]] {
            let (x, resid) = (random([batch, n_pos, d_in], 1), random([batch, n_pos, d_out], 2));
            let wide = map(d_in, d_out, 3);
            check(&affine(&x, &wide).unwrap(), &burns(x.clone(), &wide));
            // Another holder of the residual stream must not see the change.
            let kept = resid.clone();
            let sum = affine_onto(resid.clone(), &x, &wide).unwrap();
            check(&sum, &(resid.clone() + burns(x.clone(), &wide)));
            check(&kept, &random([batch, n_pos, d_out], 2));
            let unbiased = Linear { bias: None, ..wide.clone() };
            check(&affine(&x, &unbiased).unwrap(), &burns(x.clone(), &unbiased));
            let sum = affine_onto(resid.clone(), &x, &unbiased).unwrap();
            check(&sum, &(resid + burns(x.clone(), &unbiased)));

            let x_mlp = random([batch, n_pos, d_out], 4);
            for factor in [None, Some(Linear { bias: None, ..map(d_out, d_in, 8) })] {
                let mlp = Mlp {
                    input: map(d_out, d_in, 5),
                    factor,
                    output: wide.clone(),
                    after: None,
                    nonlinearity: Nonlinearity::GeluNew,
                };
                let done = mlp_onto(kept.clone(), &x_mlp, &mlp);
                let bent = gelu_approximate(burns(x_mlp.clone(), &mlp.input));
                let neurons = match &mlp.factor {
                    Some(factor) => bent * burns(x_mlp.clone(), factor),
                    None => bent,
                };
                let theirs = kept.clone() + burns(neurons, &wide);
                let scale: f32 = theirs.clone().abs().max().into_scalar();
                check(&(done.unwrap() / scale), &(theirs / scale));
            }

            let rows = x.reshape([batch * n_pos, d_in]);
            let vocabulary = random([d_out, d_in], 7);
            let logits = project(&rows, &vocabulary.clone().into()).unwrap();
            check(&logits, &rows.matmul(vocabulary.transpose()));
        }
    }

    #[test]
    fn tokens_are_normalized_and_bent_as_burn_does() {
        let x = random([3, 5, 130], 1) * 7.0 + 2.0;
        let kind = NormKind::Layer { bias: random([130], 3) };
        let norm = Norm { gain: random([130], 2), kind, epsilon: 1e-5 };
        let theirs = burn::tensor::module::layer_norm(
            x.clone(),
            norm.gain.clone(),
            norm.bias().cloned(),
            1e-5,
        );
        check(&normalize(&x, &norm).unwrap(), &theirs);
        let norm = Norm { kind: NormKind::Rms, ..norm };
        let root = ((x.clone() * x.clone()).mean_dim(2) + 1e-5).sqrt();
        let theirs = x.clone() / root * norm.gain.clone().unsqueeze();
        check(&normalize(&x, &norm).unwrap(), &theirs);
        let bent = |it| bend(x.clone(), it).unwrap() / 30.0;
        check(&bent(Nonlinearity::GeluNew), &(gelu_approximate(x.clone()) / 30.0));
        check(&bent(Nonlinearity::Gelu), &(gelu(x.clone()) / 30.0));
        check(&bent(Nonlinearity::Silu), &(silu(x.clone()) / 30.0));
        check(&bent(Nonlinearity::Relu), &(relu(x.clone()) / 30.0));
    }

    #[test]
    fn attention_sees_the_past_and_no_padding() {
        // Also with keys for groups of queries, with a window of keys,
        // and with a cap.
        for (n_kv_heads, window, cap) in [(4, None, None), (2, None, Some(0.7)), (1, Some(3), None)]
        {
            attends_as_burn(n_kv_heads, window, cap);
        }
    }

    fn attends_as_burn(n_kv_heads: usize, window: Option<usize>, cap: Option<f64>) {
        let [batch, n_new, n_past, n_heads, d_head] = [3, 5, 4, 4, 6];
        let [k, v] = [2, 3].map(|seed| random([batch, n_new, n_kv_heads, d_head], seed));
        let [past_k, past_v] = [4, 5].map(|seed| random([2, 7, n_kv_heads, d_head], seed));
        for n_queries in [n_new, 2] {
            let q = random([batch, n_queries, n_heads, d_head], 1);
            let lengths = [9, 7, 9];
            let rows = [1, 0, 1];
            let past = PastHeads { k: &past_k, v: &past_v, rows: &rows, n_past };
            let divisor = (d_head as f64).sqrt();
            let heads = Heads { q: &q, k: &k, v: &v, divisor, cap, window };
            let ours = attend(&heads, Some(&past), &lengths).unwrap();

            let all = |past: &Tensor<4>, new: &Tensor<4>| {
                let rows = Tensor::<1, Int>::from_ints([1, 0, 1], &new.device());
                let past = past.clone().narrow(1, 0, n_past).select(0, rows);
                let all = Tensor::cat(vec![past, new.clone()], 1);
                for_queries(all, n_heads).swap_dims(1, 2)
            };
            let is_hidden = |len: usize, query: usize, key: usize| {
                // What padding sees has no meaning.
                let is_before = window.is_some_and(|n| key + n <= query.min(len - 1));
                key > query || key >= len || is_before
            };
            let hidden: Vec<bool> = lengths
                .iter()
                .flat_map(|&len| {
                    (9 - n_queries..9)
                        .flat_map(move |query| (0..9).map(move |key| is_hidden(len, query, key)))
                })
                .collect();
            let hidden = TensorData::new(hidden, [batch, 1, n_queries, 9]);
            let hidden = Tensor::<4, Bool>::from_data(hidden, &q.device());
            let scores = q.swap_dims(1, 2).matmul(all(&past_k, &k).swap_dims(2, 3)) / divisor;
            let scores = capped(scores, cap).mask_fill(hidden, f32::NEG_INFINITY);
            let theirs = softmax(scores, 3).matmul(all(&past_v, &v)).swap_dims(1, 2);
            check(&ours, &theirs);
        }
    }

    #[test]
    fn what_is_not_in_one_piece_is_copied_into_one() {
        let numbers = |x: &Tensor<2>| x.to_data().iter::<f32>().collect::<Vec<_>>();
        let x = random([4, 6], 1);
        let turned = x.clone().transpose();
        assert_eq!(View::of(&turned).unwrap().values(), numbers(&turned));
        let changed = change(turned.clone(), |values| values[1] = 9.0).unwrap();
        let mut expected = numbers(&turned);
        expected[1] = 9.0;
        assert_eq!(numbers(&changed), expected);
        // Others who hold the tensor do not see the change, nor do those who hold all of a part.
        check(&x, &random([4, 6], 1));
        let part = x.clone().narrow(0, 1, 2);
        let changed = change(part.clone(), |values| values.fill(0.0)).unwrap();
        assert_eq!(changed.abs().max().into_scalar::<f32>(), 0.0);
        check(&part, &x.narrow(0, 1, 2));
    }
}
