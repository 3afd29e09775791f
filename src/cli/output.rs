//! Where a result goes: JSON, text, or a figure in a file.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::Value;

use super::flags::choice;
use super::machine::Machine;
use super::serve::Want;
use crate::analysis::{AnalysisResult, AnalysisSpec, Metric};
use crate::experiment::{Experiment, Library};
use crate::figure::{
    AskedModel, AttributionForm, Caption, Effect, Export, Figure, FileFormat, Look, Looked, Page,
    PageWidth, Pick, Record, Scale, Tokens, to_text,
};
#[cfg(feature = "parquet")]
use crate::population::FigureSettings;
use crate::session::EXTENSION;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::whole_file;
use crate::worker::{Engine, ModelConfig};

/// The flags that say where a result goes.
#[derive(Args)]
pub(super) struct Output {
    /// Print JSON instead of text. Ranks count from 0 there, and from 1 in text
    #[arg(long)]
    json: bool,

    /// Write JSON to a file
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
}

/// The flags that say where the result of an analysis goes.
#[derive(Args)]
pub(super) struct AnalysisOutput {
    #[command(flatten)]
    pub result: ResultOutput,

    /// Run nothing; write what is asked to a file for `factscope run`
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["json", "out", "figure", "save_session"])]
    pub save_spec: Option<PathBuf>,
}

/// Where the result of an experiment from a file goes.
#[derive(Args)]
pub(super) struct ResultOutput {
    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    file: FigureFile,

    #[command(flatten)]
    look: LookArgs,

    /// The layer that the figure shows, from 0, where it shows one of several, as for attention
    #[arg(long, value_name = "L")]
    figure_layer: Option<usize>,

    /// The head that the figure shows, from 0, where it shows one of several
    #[arg(long, value_name = "H")]
    figure_head: Option<usize>,

    /// The token that the figure shows, from 0, where it shows one of several: for a logit lens, the
    /// token that its line starts from
    #[arg(long, value_name = "POS")]
    figure_position: Option<usize>,

    /// Write what was found to a session file, which the window opens
    #[arg(long, value_name = "FILE.factscope", value_parser = session_to_write)]
    pub save_session: Option<PathBuf>,
}

/// The file that a figure goes to, and how it is drawn there.
#[derive(Args)]
struct FigureFile {
    /// Draw the result (FILE.svg, FILE.pdf, FILE.png), or write its numbers (FILE.csv, FILE.json,
    /// FILE.npz, FILE.parquet)
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,

    /// How large a PNG is, in times its size on a screen: 1 to 4
    #[arg(long, value_name = "N", default_value = "2", requires = "figure", value_parser = figure_scale)]
    figure_scale: Scale,

    /// How wide a picture is: `free`, as wide as its charts; `one-column`, 86 mm; or `two-columns`,
    /// 178 mm, which the charts fill
    #[arg(long, value_name = "WIDTH", default_value = "free", requires = "figure", value_parser = choice::<PageWidth>())]
    figure_width: PageWidth,

    /// Write only the chart of this name, as text and files name it, instead of all; may be given again,
    /// and charts come in the order given
    #[arg(long, value_name = "NAME", requires = "figure")]
    figure_chart: Vec<String>,

    /// How tokens are written: `by-format`, marked in pictures and plain in data; `plain` (`Paris`); or
    /// `marked` (`·Paris`: a dot stands for the space before it)
    #[arg(long, value_name = "HOW", default_value = "by-format", requires = "figure", value_parser = choice::<Tokens>())]
    figure_tokens: Tokens,

    /// Leave title, warnings and notes out of a picture
    #[arg(long, requires = "figure")]
    no_caption: bool,
}

/// Where a figure that is no single result's goes.
#[cfg(feature = "parquet")]
#[derive(Args)]
pub(super) struct FigureOutput {
    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    file: FigureFile,
}

#[cfg(feature = "parquet")]
impl FigureOutput {
    /// Refuses places that cannot be written to, as [`Output::check`] does.
    pub fn check(&self) -> anyhow::Result<()> {
        self.output.check()?;
        self.file.check()
    }

    /// Writes a figure. `json`: makes the JSON, which takes a while.
    pub fn write(
        &self,
        machine: &Machine,
        figure: &Figure,
        json: impl FnOnce() -> anyhow::Result<Value>,
    ) -> anyhow::Result<()> {
        self.file.write(machine, figure, || Ok(None))?;
        self.output.write(machine, json, || to_text(figure, terminal_width()))
    }
}

impl FigureFile {
    fn check(&self) -> anyhow::Result<()> {
        let Some(path) = &self.figure else { return Ok(()) };
        FileFormat::of(path)?;
        check_writable(path)
    }

    /// Writes the file, and gives a request the files that it wants. `record`: makes what a picture
    /// carries, which takes a while.
    fn write(
        &self,
        machine: &Machine,
        figure: &Figure,
        record: impl FnOnce() -> anyhow::Result<Option<Record>>,
    ) -> anyhow::Result<()> {
        let written = match &self.figure {
            Some(path) => Some((path, FileFormat::of(path)?)),
            None => None,
        };
        let wanted: Vec<(&str, FileFormat)> =
            machine.request.iter().flat_map(|it| it.files()).collect();
        let formats = written.iter().map(|it| it.1).chain(wanted.iter().map(|it| it.1));
        let has_picture = formats.into_iter().any(|it| !it.has_numbers());
        let record = if has_picture { record()?.map(Arc::new) } else { None };
        let export = Export { record, ..self.export() };
        if let Some((path, format)) = written {
            whole_file::write(path, &format.bytes(figure, &export)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (key, format) in wanted {
            let bytes = format.bytes(figure, &export)?;
            machine.request.iter().for_each(|it| it.give_file(key, format, &bytes));
        }
        Ok(())
    }

    fn export(&self) -> Export {
        let caption = if self.no_caption { Caption::Hidden } else { Caption::Shown };
        Export {
            charts: self.figure_chart.clone(),
            tokens: self.figure_tokens,
            page: Page { width: self.figure_width, caption },
            scale: self.figure_scale,
            record: None,
        }
    }
}

/// What a figure shows of a result that has more than one can show.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the flags are named so")]
pub(super) struct LookArgs {
    /// The metric of the answer that the figure and the text show, where a result has several
    #[arg(long, value_name = "METRIC", default_value = "prob", value_parser = choice::<Metric>())]
    figure_metric: Metric,

    /// What the figure of a trace shows of the metric: `score`, its value in each patched run;
    /// `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the total effect; or
    /// `recovery`, the share of the total effect that comes back
    #[arg(long, value_name = "EFFECT", default_value = "score", value_parser = choice::<Effect>())]
    figure_effect: Effect,

    /// How the figure of an attribution by layers or heads draws the logit: `parts`, what each part
    /// adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what each part adds,
    /// from where the one before ended
    #[arg(long, value_name = "FORM", default_value = "parts", value_parser = choice::<AttributionForm>())]
    figure_attribution: AttributionForm,
}

impl LookArgs {
    /// A look at the result of a spec.
    pub fn look<'a>(&self, spec: &AnalysisSpec, tokenizer: &'a Tokenizer) -> Look<'a> {
        Look {
            metric: self.figure_metric,
            effect: self.figure_effect,
            attribution: self.figure_attribution,
            ..Look::listing(spec, tokenizer)
        }
    }

    /// The settings of a sweep's figures.
    #[cfg(feature = "parquet")]
    pub fn of_sweep(&self) -> FigureSettings {
        FigureSettings {
            metric: self.figure_metric,
            effect: self.figure_effect,
            attribution: self.figure_attribution,
        }
    }
}

/// The width of text where there is no terminal, in characters.
const USUAL_WIDTH: usize = 100;

impl AnalysisOutput {
    /// Refuses places that cannot be written to, as [`Output::check`] does.
    pub fn check(&self) -> anyhow::Result<()> {
        self.result.check()?;
        self.save_spec.as_deref().map_or(Ok(()), check_writable)
    }
}

/// A session file, which the window knows by the ending of its name.
fn session_to_write(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.extension().is_some_and(|it| it.eq_ignore_ascii_case(EXTENSION)) {
        Ok(path)
    } else {
        Err(format!("the name of a session ends in .{EXTENSION}"))
    }
}

pub(super) fn figure_scale(text: &str) -> Result<Scale, String> {
    let scale = text.parse().ok().and_then(Scale::new);
    scale.ok_or_else(|| "a whole number from 1 to 4".to_owned())
}

/// Writes an experiment for `factscope run`, which says what was meant by token ids.
pub(super) fn save_spec(
    path: &Path,
    experiment: &Experiment,
    library: &Library<'_>,
) -> anyhow::Result<()> {
    whole_file::write(path, experiment.to_json_as_meant(library)?.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

impl ResultOutput {
    /// Refuses places that cannot be written to, as [`Output::check`] does.
    pub fn check(&self) -> anyhow::Result<()> {
        self.output.check()?;
        self.file.check()?;
        self.save_session.as_deref().map_or(Ok(()), check_writable)
    }

    /// Refuses a layer, head or token for the figure that the result does not have.
    pub fn check_pick(
        &self,
        spec: &AnalysisSpec,
        config: &ModelConfig,
        prompt: &TokenizedPrompt,
    ) -> anyhow::Result<()> {
        let within = |flag: &str, index: Option<usize>, of: Range<usize>| {
            let is_there = index.is_none_or(|index| of.contains(&index));
            ensure!(is_there, "{flag} is not among {}..{} of this result", of.start, of.end);
            Ok(())
        };
        let (mut layers, mut heads) = (0..config.n_layers, 0..config.n_heads);
        if let AnalysisSpec::Attention(spec) = spec {
            layers = spec.layers.clone();
            heads = spec.head.map_or(heads, |head| head..head + 1);
        }
        within("--figure-layer", self.figure_layer, layers)?;
        within("--figure-head", self.figure_head, heads)?;
        within("--figure-position", self.figure_position, 0..prompt.n_pos())
    }

    /// Writes the result and its figure. `json`: makes the result's JSON, which takes a while; so may
    /// `record`, of a look at the result, which its picture carries.
    pub fn write(
        &self,
        (spec, result): (&AnalysisSpec, &AnalysisResult),
        (engine, machine): (&Engine, &Machine),
        json: impl FnOnce() -> anyhow::Result<Value>,
        record: impl FnOnce(Looked) -> anyhow::Result<Record>,
    ) -> anyhow::Result<()> {
        let look = self.look(spec, engine);
        let figure = Figure::of(result, &look).signed();
        self.file.write(machine, &figure, || record(Looked::from(&look)).map(Some))?;
        self.output.write(machine, json, || to_text(&figure, terminal_width()))
    }

    fn look<'a>(&self, spec: &AnalysisSpec, engine: &'a Engine) -> Look<'a> {
        let pick = Pick {
            layer: self.figure_layer,
            position: self.figure_position,
            head: self.figure_head,
        };
        let model = AskedModel {
            name: &engine.info.name,
            edits: &engine.edits,
            n_kv_heads: engine.info.config.n_kv_heads(),
        };
        Look { pick, model: Some(model), ..self.look.look(spec, &engine.info.tokenizer) }
    }
}

fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0))
}

impl Output {
    /// Writes JSON if it was asked for, else the text for a person; for a request, what it wants. Only what
    /// is written is made.
    pub fn write(
        &self,
        machine: &Machine,
        json: impl FnOnce() -> anyhow::Result<Value>,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let wants = |it| machine.request.as_ref().map(|request| request.wants(it));
        if wants(Want::Text).unwrap_or_else(|| !self.json && self.out.is_none()) {
            machine.print_text(&text())?;
        }
        let is_printed = wants(Want::Json).unwrap_or(self.json);
        if !is_printed && self.out.is_none() {
            return Ok(());
        }
        let json = json()?.to_string();
        if let Some(path) = &self.out {
            whole_file::write(path, format!("{json}\n").as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if is_printed { machine.print_json(&json) } else { Ok(()) }
    }

    /// Refuses a place that cannot be written to before hours are spent on what goes there.
    pub fn check(&self) -> anyhow::Result<()> {
        self.out.as_deref().map_or(Ok(()), check_writable)
    }
}

/// Refuses a place that no file can be written to.
pub(super) fn check_writable(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!path.is_dir(), "cannot write {}: it is a folder", path.display());
    if whole_file::is_device(path) {
        return Ok(());
    }
    whole_file::begin(path).map(drop).with_context(|| format!("cannot write {}", path.display()))
}
