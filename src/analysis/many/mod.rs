//! What several prompts have in common: averages over facts, a fact beside its inverse, and methods
//! scored by a planted fact.

pub mod trace_average;
pub mod comparison;
pub mod localisation;

pub use comparison::Role;
