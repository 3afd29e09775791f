use burn::tensor::Tensor;

use super::gpt2::{Pass, Past, hidden_keys, int_tensor};
use super::tap::Tap;
use super::{ActivationCache, Donors, Gpt2};
use crate::intervention::{Edit, Intervention, Site, SiteSet};
use crate::task::Cancelled;

/// One row of a batch: a prompt under a condition.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// `[pos]`
    pub ids: &'a [u32],

    /// How many of them interventions may touch: [`Span::All`](crate::intervention::Span) ends
    /// here. The rest are tokens of the answer, appended to score it as a whole.
    pub n_editable: usize,

    pub condition: &'a [Intervention],
}

impl<'a> Row<'a> {
    pub fn new(ids: &'a [u32], condition: &'a [Intervention]) -> Self {
        Self { ids, n_editable: ids.len(), condition }
    }

    /// Its ids, with the tokens that its condition puts in place of others.
    fn tokens(&self) -> Vec<u32> {
        let mut ids = self.ids.to_vec();
        for it in self.condition {
            let Edit::Tokens(tokens) = &it.edit else { continue };
            let positions = it.positions.resolve(self.n_editable);
            assert!(
                it.site == Site::Embed && positions.len() == tokens.len(),
                "as many tokens as positions are put in, as embeddings"
            );
            assert!(positions.end <= self.n_editable, "tokens are put in beyond the prompt");
            ids[positions].copy_from_slice(tokens);
        }
        ids
    }
}

/// One forward pass. Rows may differ in length: shorter ones are padded after their end, and no
/// query ever sees the padding.
pub struct Request<'a> {
    /// `[batch]`
    pub rows: &'a [Row<'a>],

    /// What conditions may copy from.
    pub donors: &'a Donors,

    /// Sites to keep. Positions after a row's end hold no meaning.
    pub capture: &'a SiteSet,

    /// A run of the positions before these, with [`Site::K`] and [`Site::V`] of every layer. Its
    /// one row is continued by every row here.
    pub past: Option<&'a ActivationCache>,

    /// Of how many positions, at the end of each row, the logits are wanted.
    pub n_read: usize,
}

/// What a forward pass leaves behind.
#[derive(Clone, Debug)]
pub struct Run {
    /// At the last `n_read` positions of each row. `[batch, n_read, d_vocab]`
    pub logits: Tensor<3>,

    pub cache: ActivationCache,
}

impl Gpt2 {
    /// # Errors
    ///
    /// When `after_layer`, called once each block has been computed, says so.
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
        let rows = request.rows;
        let device = self.device();
        let n_past = request.past.map_or(0, |past| past.get(Site::K(0)).dims()[1]);
        let batch = rows.len();
        let n_pos = rows.iter().map(|row| row.ids.len()).max().expect("a run has rows");
        let d_vocab = self.config.d_vocab as u32;
        for row in rows {
            assert!(row.ids.len() >= request.n_read.max(1), "a row is shorter than what is read");
        }
        assert!(n_past + n_pos <= self.config.n_ctx, "the prompt is longer than the context");

        let mut ids = Vec::with_capacity(batch * n_pos);
        for row in rows {
            let tokens = row.tokens();
            assert!(tokens.iter().all(|&id| id < d_vocab), "a token is not in the vocabulary");
            ids.extend(tokens);
            ids.resize(ids.len() + n_pos - row.ids.len(), 0);
        }
        let lengths: Vec<_> = rows.iter().map(|row| n_past + row.ids.len()).collect();
        let past_rows = vec![0; batch];
        let pass = Pass {
            past: request.past.map(|cache| Past { cache, rows: &past_rows }),
            hidden: hidden_keys(&lengths, n_past, n_pos, &device),
            lengths: &lengths,
            n_past,
            n_queries: n_pos,
        };
        let mut tap =
            Tap::new(rows, request.donors, request.capture, 0).adding(&self.additions, n_past);
        let resid = self.forward(&ids, [batch, n_pos], &pass, &mut tap, after_layer)?;

        // Where the final layer norm is tapped, all positions must pass through it; else only
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
        Ok(Run { logits, cache: tap.into_cache() })
    }

    /// One prompt, undisturbed; logits of its last position.
    ///
    /// # Panics
    ///
    /// As [`Gpt2::run`].
    pub fn run_clean(&self, ids: &[u32], capture: &SiteSet) -> Run {
        let request = Request {
            rows: &[Row::new(ids, &[])],
            donors: &Donors::new(),
            capture,
            past: None,
            n_read: 1,
        };
        self.run(&request, &mut |_| Ok(())).expect("nobody cancels it")
    }
}
