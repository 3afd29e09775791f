//! Where attention heads look.

pub mod attention;
pub mod head_scores;
