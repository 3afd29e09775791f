//! How large the activations at a site are.

use super::ModelConfig;
use crate::intervention::{Site, SiteSet};

impl ModelConfig {
    /// How many numbers a row of so many positions has at a site. 0 at a site that the model lacks.
    pub fn n_values(&self, site: Site, n_pos: usize) -> usize {
        if !self.has(site) {
            return 0;
        }
        n_pos
            * match site {
                Site::Ln1Scale(_) | Site::Ln2Scale(_) | Site::LnFinalScale => 1,
                Site::Q(_) | Site::RotQ(_) | Site::Z(_) => self.n_heads * self.d_head(),
                Site::K(_) | Site::V(_) | Site::RotK(_) => self.n_kv_heads() * self.d_head(),
                Site::AttnScores(_) | Site::Pattern(_) => self.n_heads * n_pos,
                Site::MlpPre(_) | Site::MlpPreLinear(_) | Site::MlpPost(_) => self.d_mlp,
                _ => self.d_model,
            }
    }

    /// What a row of so many positions takes at some sites, in bytes.
    pub fn bytes_at(&self, sites: &SiteSet, n_pos: usize) -> usize {
        sites.iter().map(|site| self.n_values(*site, n_pos)).sum::<usize>() * size_of::<f32>()
    }
}
