//! What a method is given beside its question: who watches, what is known, what it may read.

use std::sync::Arc;

use crate::analysis::{AnalysisResult, NoiseReader, Reuse};
use crate::task::TaskCtx;
use crate::tokens::Tokenizer;

/// What a method may say while it runs.
pub struct AnalysisCtx<'a> {
    pub task: TaskCtx<'a>,

    /// Takes what has been found so far.
    pub partial: &'a dyn Fn(AnalysisResult),

    /// The same numbers up to rounding, sooner or later.
    pub reuse: Reuse,

    /// Found by the same model before, whole or in part. What is asked again of it is not computed
    /// again, unless nothing is to be reused.
    pub earlier: &'a [Arc<AnalysisResult>],

    /// To choose tokens, and to show them. [`Engine::run`](crate::worker::Engine::run) brings its
    /// own.
    pub tokenizer: Option<&'a Tokenizer>,

    /// Reads noise that is given as a file. [`Engine::run`](crate::worker::Engine::run) brings its
    /// own.
    pub read_noise: &'a NoiseReader,
}

impl AnalysisCtx<'_> {
    /// Nobody watches, and nobody can stop it.
    pub fn unwatched() -> Self {
        Self {
            task: TaskCtx::unwatched(),
            partial: &|_| (),
            reuse: Reuse::Exact,
            earlier: &[],
            tokenizer: None,
            read_noise: &|_| Err("no file is read here".to_owned()),
        }
    }
}
