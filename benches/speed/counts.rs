//! How many operations each method needs, a multiplication and an addition counted as two.
//!
//! Matrix products only, as is usual; what the rest costs shows as a lower rate. Counted from the
//! methods' definitions, not from the program: one that does more than it must looks slow here.

use factscope::analysis::causal_trace::{Component, Spec};
use factscope::model::ModelConfig;

/// One token through one block, with `n_keys` tokens to look at.
fn block(config: &ModelConfig, n_keys: usize) -> f64 {
    let (d, d_mlp) = (config.d_model as f64, config.d_mlp as f64);
    2.0 * (4.0 * d * d + 2.0 * d * d_mlp) + 4.0 * d * n_keys as f64
}

/// Logits at one position.
fn unembedding(config: &ModelConfig) -> f64 {
    2.0 * config.d_model as f64 * config.d_vocab as f64
}

/// `n_rows` prompts of `n_pos` tokens, logits at `n_read` positions of each.
pub fn forward(config: &ModelConfig, n_rows: usize, n_pos: usize, n_read: usize) -> f64 {
    let blocks = (n_pos * config.n_layers) as f64 * block(config, n_pos);
    n_rows as f64 * (blocks + n_read as f64 * unembedding(config))
}

/// One cell computed whole, with logits at every position: ROME's procedure has `n_samples + 1`
/// rows, TransformerLens' users have `n_samples`.
pub fn cell(config: &ModelConfig, n_rows: usize, n_pos: usize) -> f64 {
    forward(config, n_rows, n_pos, n_pos)
}

/// A map in which nothing is computed that cannot differ from a run that is there.
///
/// Restoring at layer *l* and position *t* changes only positions from *t* on and later layers;
/// before the first corrupted position there is nothing to restore.
pub fn trace(config: &ModelConfig, n_pos: usize, subject_start: usize, spec: &Spec) -> f64 {
    let n_layers = config.n_layers;
    let bases = forward(config, 1 + spec.n_samples, n_pos, 1);
    let mut cells = 0.0;
    for pos in subject_start..n_pos {
        for layer in 0..n_layers {
            let first = match spec.component {
                Component::Hidden => layer + 1,
                Component::Mlp | Component::Attn => layer.saturating_sub(spec.window / 2),
            };
            // After the last layer a position is read only if it is the last.
            if first == n_layers && pos + 1 < n_pos {
                continue;
            }
            let blocks = (n_pos - pos) * (n_layers - first);
            cells += blocks as f64 * block(config, n_pos) + unembedding(config);
        }
    }
    bases + spec.n_samples as f64 * cells
}
