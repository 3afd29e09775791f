//! Draws of the corruptions that a person chooses from, made for the fact that a study is asked about.

use std::sync::Arc;

use super::About;
use crate::analysis::causal_trace;
use crate::analysis::corruption::{Corruption, Draws, SubjectsOf};
use crate::experiment::CorruptionKind;

/// The draws of a corruption, with the noise, samples and seed of a trace.
pub fn draws(
    kind: CorruptionKind,
    trace: &causal_trace::Spec,
    about: &About<'_>,
) -> Result<Draws, String> {
    let mut n_samples = trace.n_samples;
    let others = |of: SubjectsOf| {
        let ids = (about.substitutes)(of);
        if !ids.is_empty() {
            return Ok(ids);
        }
        let has_relation = about.record.is_some_and(|it| it.relation.is_some());
        Err(match of {
            SubjectsOf::Relation if !has_relation => "the dataset names no relation of this fact",
            SubjectsOf::Relation => "no other subject of this relation has as many tokens",
            SubjectsOf::All => "no other subject of the dataset has as many tokens",
        })
    };
    let corruption = match kind {
        CorruptionKind::NoiseFile => match &trace.corruption {
            it @ Corruption::NoiseFile(_) => it.clone(),
            _ => return Err("Choose a noise file in the trace's settings first".to_owned()),
        },
        CorruptionKind::SameRelation => {
            let ids = others(SubjectsOf::Relation)?;
            n_samples = n_samples.min(ids.len());
            Corruption::OtherSubjects { of: SubjectsOf::Relation, ids }
        }
        CorruptionKind::AnySubject => {
            let ids = others(SubjectsOf::All)?;
            n_samples = n_samples.min(ids.len());
            Corruption::OtherSubjects { of: SubjectsOf::All, ids }
        }
        CorruptionKind::Counterpart => {
            let ids = others(SubjectsOf::Relation)?;
            let nth = trace.seed as usize % ids.len();
            Corruption::Counterpart { ids: Arc::from(ids[nth].as_slice()) }
        }
        CorruptionKind::Mean if about.subjects.is_empty() => {
            let reason = "the mean is taken over the subjects of a dataset, and none is open";
            return Err(reason.to_owned());
        }
        CorruptionKind::Mean => Corruption::Mean { tokens: Arc::clone(about.subjects) },
        kind => kind.plain().expect("all others need nothing else"),
    };
    if !corruption.is_drawn() {
        n_samples = 1;
    }
    Ok(Draws { corruption, n_samples, ..trace.draws() })
}
