//! Finds the tokens whose embeddings are nearest to given vectors.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::Transformer;

/// How a vector and a token's embedding are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closeness {
    /// The largest cosine of the angle between them.
    Cosine,

    /// The smallest Euclidean distance.
    Distance,
}

/// How many vectors are compared at once. Each takes memory for a number per token.
const N_AT_ONCE: usize = 16;

impl Transformer {
    /// The nearest of the allowed tokens for each vector, the first in their order if several are
    /// equally near. `[vector, d_model]` to `[vector]`
    ///
    /// # Panics
    ///
    /// If no token is allowed, or an allowed token is not in the vocabulary.
    pub fn nearest_tokens(&self, vectors: &[f32], by: Closeness, allowed: &[u32]) -> Vec<u32> {
        let (d_model, d_vocab) = (self.config.d_model, self.config.d_vocab);
        let squares = self.wte.squares();
        let scale = self.config.embed_scale.unwrap_or(1.0);
        let mut nearest = Vec::with_capacity(vectors.len() / d_model);
        for some in vectors.chunks(N_AT_ONCE.min(self.max_rows.max(1)) * d_model) {
            let x = TensorData::new(some.to_vec(), [some.len() / d_model, d_model]);
            let products = self.wte.project(&Tensor::from_data(x, &self.device()));
            let products: Vec<f32> = products.into_data().iter::<f32>().collect();
            for products in products.chunks(d_vocab) {
                // A larger number means nearer. Terms that are the same for all tokens are left
                // out.
                let nearness = |id: u32| {
                    let product = scale * f64::from(products[id as usize]);
                    let square = scale.powi(2) * f64::from(squares[id as usize]);
                    match by {
                        // An embedding of zeros has no direction.
                        Closeness::Cosine if square == 0.0 => f64::NEG_INFINITY,
                        Closeness::Cosine => product / square.sqrt(),
                        Closeness::Distance => 2.0 * product - square,
                    }
                };
                let mut best = allowed[0];
                for &id in &allowed[1..] {
                    if nearness(id) > nearness(best) {
                        best = id;
                    }
                }
                nearest.push(best);
            }
        }
        nearest
    }
}
