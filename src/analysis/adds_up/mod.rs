//! The sums that the answer's logit and the residual stream consist of, by layer, head, neuron or
//! token.

pub mod logit_attribution;
pub mod running_sum;
pub mod neuron_attribution;
pub mod source_attribution;
pub mod through_head;
pub mod attribution_difference;
pub mod logit_lens;
pub mod accumulated_resid;
pub mod residual_norms;
pub mod contribution_graph;
mod logit_split;
