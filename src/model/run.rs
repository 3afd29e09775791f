//! One forward pass of the model over a batch of rows.

use burn::tensor::Tensor;

use super::indices::int_tensor;
use super::tap::Tap;
use super::transformer::{Pass, Past};
use super::{ActivationCache, BatchRow, Donors, Transformer};
use crate::intervention::{Site, SiteSet};
use crate::task::Cancelled;

/// What a forward pass computes. Rows may differ in length: shorter ones are padded after their
/// end, and no query sees the padding.
pub struct Request<'a> {
    /// The prompts and their conditions. `[batch]`
    pub rows: &'a [BatchRow<'a>],

    /// The runs that conditions may copy from.
    pub donors: &'a Donors,

    /// The sites whose activations are kept. Those at positions after a row's end have no meaning.
    pub capture: &'a SiteSet,

    /// A run of earlier positions, with the sites of
    /// [`ModelConfig::past_sites`](super::ModelConfig::past_sites). Every row here continues its
    /// only row.
    pub past: Option<&'a ActivationCache>,

    /// How many positions at the end of each row the logits are computed for.
    pub n_read: usize,
}

/// The result of a forward pass.
#[derive(Clone, Debug)]
pub struct Run {
    /// The logits at the last `n_read` positions of each row. `[batch, n_read, d_vocab]`
    pub logits: Tensor<3>,

    /// The activations that were kept.
    pub cache: ActivationCache,

    /// The sites whose activations were given up, and are computed again from what was kept where
    /// they are wanted: see [`Transformer::of_layer`].
    pub given_up: SiteSet,

    /// How many positions of each row, the past included, are no padding. `[batch]`
    pub lengths: Vec<usize>,
}

impl Transformer {
    /// Runs the model.
    ///
    /// # Errors
    ///
    /// If `after_layer`, which is called after each block, returns an error.
    ///
    /// # Panics
    ///
    /// If a row is empty, longer than the model's context, or holds an id outside the vocabulary,
    /// or if a condition reaches outside an activation: bugs in the caller.
    pub fn run(
        &self,
        request: &Request<'_>,
        after_layer: &mut dyn FnMut(usize) -> Result<(), Cancelled>,
    ) -> Result<Run, Cancelled> {
        self.run_by_layer(request, &mut |layer, _| after_layer(layer))
    }

    /// Runs the model as [`Self::run`] does. `after_layer` also gets the activations that were kept so
    /// far, and can give up those that it has read.
    ///
    /// # Panics
    ///
    /// As [`Self::run`] does.
    pub fn run_by_layer(
        &self,
        request: &Request<'_>,
        after_layer: &mut dyn FnMut(usize, &mut ActivationCache) -> Result<(), Cancelled>,
    ) -> Result<Run, Cancelled> {
        let rows = request.rows;
        let device = self.device();
        let n_past = request.past.map_or(0, |past| past.get(Site::V(0)).dims()[1]);
        let batch = rows.len();
        let n_pos = rows.iter().map(|row| row.ids.len()).max().expect("a run has rows");
        let d_vocab = self.config.d_vocab as u32;
        for row in rows {
            assert!(
                row.ids.len() >= request.n_read.max(1),
                "a row is shorter than the positions that are read"
            );
        }
        assert!(n_past + n_pos <= self.config.n_ctx, "the prompt is longer than the context");
        assert!(
            n_past == 0 || !self.config.turns_by_length(n_past + n_pos),
            "keys of a shorter prompt are turned in another way"
        );

        let mut ids = Vec::with_capacity(batch * n_pos);
        for row in rows {
            let tokens = row.tokens();
            assert!(tokens.iter().all(|&id| id < d_vocab), "a token is not in the vocabulary");
            ids.extend(tokens);
            ids.resize(ids.len() + n_pos - row.ids.len(), 0);
        }
        let lengths: Vec<_> = rows.iter().map(|row| n_past + row.ids.len()).collect();
        let past_rows = vec![0; batch];
        let past = request.past.map(|cache| Past { cache, rows: &past_rows });
        let pass = Pass::new(self, [n_past, n_pos], &lengths, past);
        let mut tap = Tap::new(rows, request.donors, request.capture, 0, (&self.additions, n_past));
        let resid = self.forward(&ids, [batch, n_pos], &pass, &mut tap, after_layer)?;

        // If the final norm is tapped, all positions must pass through it, otherwise only
        // those that are read.
        let d_model = self.config.d_model;
        let is_idle = tap.is_idle_at(Site::LnFinalScale) && tap.is_idle_at(Site::LnFinalNormalized);
        let read: Vec<i32> = (0..batch)
            .flat_map(|row| {
                let end = row * n_pos + rows[row].ids.len();
                (end - request.n_read..end).map(|place| place as i32)
            })
            .collect();
        let n_rows = read.len();
        let at_end =
            |x: Tensor<3>| x.reshape([batch * n_pos, d_model]).select(0, int_tensor(read, &device));
        let normalized = if is_idle {
            let resid = at_end(resid).reshape([batch, request.n_read, d_model]);
            self.normalize(resid, &mut tap).reshape([n_rows, d_model])
        } else {
            at_end(self.normalize(resid, &mut tap))
        };
        let logits =
            self.project(&normalized).reshape([batch, request.n_read, self.config.d_vocab]);
        let cache = tap.into_cache();
        Ok(Run { logits, cache, given_up: SiteSet::new(), lengths })
    }

    /// Runs one prompt without interventions, with the logits of its last position.
    ///
    /// # Panics
    ///
    /// If the prompt is empty, longer than the context, or has an id outside the vocabulary.
    pub fn run_clean(&self, ids: &[u32], capture: &SiteSet) -> Run {
        let request = Request {
            rows: &[BatchRow::new(ids, &[])],
            donors: &Donors::new(),
            capture,
            past: None,
            n_read: 1,
        };
        self.run(&request, &mut |_| Ok(())).expect("the callback never cancels")
    }
}
