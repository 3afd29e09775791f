//! What is lost without a part: heads, MLPs, layers, neurons, or ways for attention to look.

pub mod ablation;
pub mod neuron_ablation;
pub mod attention_knockout;
pub mod edge_cut;
