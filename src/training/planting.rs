//! The second stage of training, which writes facts into one known MLP layer each and keeps all
//! others.

use burn::module::Module as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::anchor::Anchor;
use super::corpus::{Corpus, Statement};
use super::split::Split;
use super::trainer::{Lesson, Round, Trainer, Trains};
use crate::model::{Checkpoint, LoadError};

impl<'a> Round<'a> {
    /// What the MLP of the trainer's current layer is taught: half of each batch are the layer's
    /// own facts, the other half all that the model knows by then.
    ///
    /// # Panics
    ///
    /// If `before` is a model of another shape.
    pub fn planting(
        trainer: &Trainer,
        corpus: &'a Corpus,
        split: &Split,
        before: &Checkpoint,
    ) -> Result<Self, LoadError> {
        let layer = trainer.planted_layer();
        let (mut known, _) = corpus.divide(split);
        known.extend((0..layer).flat_map(|earlier| corpus.planted(split, earlier).0));
        let (new, _) = corpus.planted(split, layer);
        let anchor = anchor(trainer, before, &known, layer)?;
        let n_new = trainer.spec.batch / 2;
        Ok(Self {
            lessons: vec![
                Lesson { statements: new, n_rows: n_new },
                Lesson { statements: known, n_rows: trainer.spec.batch - n_new },
            ],
            trains: Trains::Mlp(layer),
            anchor: Some(anchor),
        })
    }
}

/// An anchor of each statement on its own, and once more in a row as training draws it. `before`
/// has the layer's MLP as it was before planting.
fn anchor(
    trainer: &Trainer,
    before: &Checkpoint,
    statements: &[&Statement],
    layer: usize,
) -> Result<Anchor, LoadError> {
    let mut rng = ChaCha8Rng::seed_from_u64(trainer.spec.seed);
    // The steps use the streams from 1 upwards.
    rng.set_stream(u64::MAX - layer as u64);
    let mut rows: Vec<Vec<u32>> = statements.iter().map(|it| it.ids.clone()).collect();
    rows.extend(statements.iter().map(|it| trainer.draw_row(&[it], &mut rng).ids));
    let network = trainer.network.valid();
    let before = trainer.with_mlp_of(before, layer)?.network.valid();
    Ok(Anchor::new(rows, layer, &network, &before, trainer.bos))
}
