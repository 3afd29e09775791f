//! Where attention heads attend.

pub mod attention;
pub mod head_scores;
