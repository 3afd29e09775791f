//! What a prompt answers with activations of another: whole outputs, or single paths between
//! components.

pub mod activation_patching;
pub mod path_patching;
mod pairing;

pub use pairing::{Pair, UnknownPair};

pub use crate::model::{HeadInput, Receiver, Sender};
