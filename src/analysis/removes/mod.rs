//! What is lost without a component: heads, MLPs, layers, neurons, or edges of attention.

pub mod ablation;
pub mod neuron_ablation;
pub mod attention_knockout;
pub mod edge_cut;
