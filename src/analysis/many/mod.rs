//! Methods about several prompts: averages over facts, a fact beside its inverse, and scores of
//! methods that locate planted facts.

pub mod trace_average;
pub mod comparison;
pub mod localisation;

pub use comparison::Role;
