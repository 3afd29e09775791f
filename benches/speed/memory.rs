//! The most memory that loading and tracing take.

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use factscope::analysis::Reuse;
use factscope::analysis::causal_trace::Spec;
use half::f16;
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

use crate::contender::{Contender, FACTSCOPE};
use crate::question::Question;
use crate::report::{Report, bytes};
use crate::versus::{Bench, Contenders, missing};

impl Bench {
    /// `spec`: of the trace that weights of half the size are tried with.
    pub fn memory(&self, who: &Contenders, spec: &Spec, report: &mut Report) -> anyhow::Result<()> {
        let narrow = self.narrow(spec)?;
        let weights = self.config.n_params() * 4;
        let row = |name: &str, it: &Contender| {
            let peak = it.peak_bytes();
            let share = |peak: u64| format!("{:.2}", peak as f64 / weights as f64);
            [name.to_owned(), peak.map_or_else(missing, bytes), peak.map_or_else(missing, share)]
        };
        let mut rows =
            vec![row(FACTSCOPE, &who.factscope), row(&format!("{FACTSCOPE}, F16 file"), &narrow)];
        rows.extend(std::iter::once(&who.rome).chain(&who.lenses).map(|it| row(it.name, it)));
        report.say(&format!(
            "Peak resident memory of loading and tracing (`VmHWM`; the weights are {} as F32):",
            bytes(weights)
        ))?;
        report.table(["", "peak", "weights"], &rows)?;
        match narrow.failure() {
            Some(failure) => report.say(&format!("The F16 file failed: {failure}")),
            None => Ok(()),
        }
    }

    /// A process that has opened the same weights as F16, and traced for a while.
    fn narrow(&self, spec: &Spec) -> anyhow::Result<Contender> {
        const BUDGET_SECS: f64 = 15.0;
        let model = narrowed(&self.model)?;
        eprintln!("memory of {}", model.display());
        let mut it = self.starter.factscope();
        let trace = Question::Trace {
            prompt: self.prompt.clone(),
            spec: spec.clone(),
            reuse: Reuse::Exact,
            budget_secs: Some(BUDGET_SECS),
        };
        for question in [Question::Load { model }, trace] {
            it.ask(&question);
        }
        Ok(it)
    }
}

/// The same model with its numbers as F16, beside it; written if it is not there yet.
fn narrowed(dir: &Path) -> anyhow::Result<PathBuf> {
    let mut name = dir.file_name().context("a model folder has a name")?.to_owned();
    name.push("-f16");
    let narrowed = dir.with_file_name(name);
    if narrowed.join("model.safetensors").is_file() {
        return Ok(narrowed);
    }
    eprintln!("writing {}, once", narrowed.display());
    let unfinished = tempfile::tempdir_in(dir.parent().unwrap_or(dir))?;
    for name in ["config.json", "vocab.json", "merges.txt"] {
        fs::copy(dir.join(name), unfinished.path().join(name))
            .with_context(|| format!("cannot copy {name} of {}", dir.display()))?;
    }
    let file = File::open(dir.join("model.safetensors"))?;
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
    // SAFETY: the benchmark's own file, which nobody else writes to.
    let map = unsafe { Mmap::map(&file) }?;
    let tensors = SafeTensors::deserialize(&map)?;
    let tensors = tensors.iter().map(|(name, tensor)| (name, Narrow(tensor)));
    let path = unfinished.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path)?;
    let unfinished = unfinished.keep();
    fs::rename(&unfinished, &narrowed)?;
    Ok(narrowed)
}

/// An F32 tensor, as F16.
struct Narrow<'a>(TensorView<'a>);

impl View for Narrow<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.0.data().as_chunks::<4>().0.iter();
        values.flat_map(|it| f16::from_f32(f32::from_le_bytes(*it)).to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.0.data().len() / 2
    }
}
