//! How the work is done: flags that every command has, and what they mean to an open model.

#[cfg(feature = "hub")]
use std::cell::Cell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context as _;
use clap::Args;

use super::progress::Bar;
use super::serve::{ModelKey, Request};
use super::{complain, terminal};
use crate::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Memory, ModelEdit, Reuse};
use crate::builtin;
use crate::experiment::Datasets;
use crate::facts::Dataset;
use crate::hub::{self, HubName};
use crate::task::{CancelToken, TaskCtx};
use crate::tokens::TokenizedPrompt;
use crate::worker::{DeviceChoice, Engine, MemoryNeed, Stage, SystemMemory, bytes_text};

/// The flags that say how the work is done. None of them changes a number that comes out.
#[derive(Args, Clone, Debug)]
pub(super) struct Machine {
    /// Where to compute: `auto` (a real GPU if there is one, else the CPU), `cpu`, `wgpu` or
    /// `wgpu:N` (an adapter of `factscope devices`, software ones included)
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,

    /// CPU threads [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,

    /// Compute every run of a sweep from its first token and layer on, to check that exact reuse gives
    /// the same numbers; slower
    #[arg(long, global = true)]
    exact_naive: bool,

    /// Go on with what is said to need more memory than is free
    #[arg(long, global = true)]
    ignore_memory: bool,

    /// Show no progress, nor what the columns of a dataset were taken for
    #[arg(long, global = true)]
    pub quiet: bool,

    /// The datasets that have been read
    #[arg(skip)]
    pub datasets: Datasets,

    /// The request of another program that is carried out. `None` for a command of a person or script.
    #[arg(skip)]
    pub request: Option<Rc<Request>>,
}

impl Machine {
    /// This machine, which says what the columns of a dataset were taken for, so that a wrong guess is seen.
    pub fn telling(self) -> Self {
        if self.quiet {
            return self;
        }
        let machine = self.clone();
        let tell = move |dataset: &Dataset| {
            if dataset.path != Path::new(Dataset::BUNDLED) {
                machine.tell(&format!("{}: {}", dataset.path.display(), dataset.reading()));
            }
        };
        Self { datasets: Datasets::telling(tell), ..self }
    }

    /// This machine, working for a request of another program.
    pub fn working_for(self, request: Rc<Request>) -> Self {
        Self { request: Some(request), ..self }.telling()
    }

    /// Says something beside the result.
    pub fn tell(&self, text: &str) {
        match &self.request {
            Some(request) => request.note(text),
            None => complain(text),
        }
    }

    /// Prints text for a person, with its control characters shown.
    pub fn print_text(&self, text: &str) -> anyhow::Result<()> {
        self.print_data(&terminal::shown(text))
    }

    /// Prints text in a format that escapes control characters itself, such as JSON.
    pub fn print_data(&self, text: &str) -> anyhow::Result<()> {
        if let Some(request) = &self.request {
            request.print(text);
            return Ok(());
        }
        let mut stdout = std::io::stdout().lock();
        let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        printed.context("what was found cannot be written to stdout")
    }

    /// Prints a line of JSON, which is the result of a request.
    pub fn print_json(&self, json: &str) -> anyhow::Result<()> {
        let Some(request) = &self.request else { return self.print_data(&format!("{json}\n")) };
        request.give("result", json.to_owned());
        Ok(())
    }

    /// What stands on standard input, or in a request in its place.
    pub fn input(&self) -> anyhow::Result<String> {
        match &self.request {
            Some(request) => request.input.clone().context("the request has no `input`"),
            None => Ok(std::io::read_to_string(std::io::stdin())?),
        }
    }

    /// How the work is stopped.
    pub fn cancel(&self) -> CancelToken {
        self.request.as_ref().map_or_else(CancelToken::default, |it| it.cancel.clone())
    }

    /// Runs a method with a progress bar.
    pub fn run(
        &self,
        engine: &Engine,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
        what: &'static str,
    ) -> anyhow::Result<AnalysisResult> {
        let request = self.request.as_ref();
        let again = request.and_then(|it| it.kept.found(it.of.as_ref()?, engine, prompt, spec));
        if let Some(result) = again {
            return Ok(result);
        }
        self.tell_memory(&engine.info.memory_need(prompt, spec), spec.name());
        let result = self.watched(what, |task| engine.run(prompt, spec, &self.ctx(task)))?;
        if let Some(request) = request {
            request.kept.keep_found(request.id(), engine, (prompt, spec), &result);
        }
        Ok(result)
    }

    /// Says what takes much of the machine's memory.
    fn tell_memory(&self, need: &MemoryNeed, what: &str) {
        let Some(machine) = SystemMemory::read() else { return };
        let is_begun = self.ignore_memory || need.lack(Some(&machine)).is_none();
        if is_begun && need.is_much_for(&machine) && !self.quiet {
            self.tell(&format!("{what} takes {need}; {} are free", bytes_text(machine.available)));
        }
    }

    /// Does work that takes a while behind a progress bar.
    pub fn watched<T, E>(
        &self,
        what: &'static str,
        work: impl FnOnce(TaskCtx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let bar = Bar::new(self, what);
        let report = |progress| bar.set(progress);
        let done = work(TaskCtx { cancel: self.cancel(), report: &report })?;
        bar.finish();
        Ok(done)
    }

    /// This machine, for work whose progress is shown by somebody else.
    pub fn quietly(&self) -> Self {
        Self { quiet: true, ..self.clone() }
    }

    pub fn ctx<'a>(&self, task: TaskCtx<'a>) -> AnalysisCtx<'a> {
        let reuse = if self.exact_naive { Reuse::Off } else { Reuse::Exact };
        let memory = if self.ignore_memory { Memory::Unchecked } else { Memory::Checked };
        AnalysisCtx { task, reuse, memory, ..AnalysisCtx::unwatched() }
    }

    /// The folder of a model that is named or lies in a folder. A model of the hub that the cache lacks
    /// is downloaded.
    pub fn model(&self, named: &Path) -> anyhow::Result<PathBuf> {
        let name = named.to_str().and_then(|it| it.parse::<HubName>().ok());
        let (Some(name), false) = (name, named.exists() || builtin::find(named).is_some()) else {
            return Ok(named.to_owned());
        };
        match hub::find_unless_folder(named) {
            Some(found) if hub::is_complete(&found) => Ok(found),
            found => self.missing(&name, found),
        }
    }

    #[cfg(not(feature = "hub"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with downloads")]
    fn missing(&self, name: &HubName, found: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        Ok(found.unwrap_or_else(|| name.to_string().into()))
    }

    /// A model of the hub that the cache lacks, or has a part of.
    #[cfg(feature = "hub")]
    fn missing(&self, name: &HubName, found: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        let settings = hub::Settings::from_env()?;
        match found {
            Some(found) if settings.is_offline => Ok(found),
            _ => self
                .download(name, &settings)
                .context("there is no such folder, and the model cannot be downloaded"),
        }
    }

    /// Downloads what the cache lacks of a model.
    #[cfg(feature = "hub")]
    pub fn download(&self, name: &HubName, settings: &hub::Settings) -> anyhow::Result<PathBuf> {
        let bar = Bar::new(self, "Asking the hub");
        let report = |progress| bar.set(progress);
        let ctx = TaskCtx { cancel: self.cancel(), report: &report };
        let of = Cell::new(0);
        let say = |stage: hub::Stage| match stage {
            // Another count, from its start.
            hub::Stage::Downloading { n_bytes } if of.replace(n_bytes) != n_bytes => {
                bar.say(format!("{stage} of {name}"));
            }
            hub::Stage::Downloading { .. } => bar.note(format!("{stage} of {name}")),
            _ => bar.note(stage.to_string()),
        };
        let dir = hub::get(name, settings, &ctx, &say)?;
        bar.finish();
        Ok(dir)
    }

    /// Opens a model, and makes edits to it. One that is open already, for an earlier request, stays so.
    pub fn opened(&self, model: &Path, edits: &[ModelEdit]) -> anyhow::Result<Engine> {
        let Some(request) = &self.request else { return self.open(model, edits) };
        let key = ModelKey::of(model, self.device, edits);
        if let Some(engine) = request.kept.model(&key) {
            return Ok(engine);
        }
        for name in request.kept.make_room() {
            self.tell(&format!("{name} is closed; the models that were asked last stay open"));
        }
        let engine = self.open(model, edits)?;
        request.kept.keep_model(key, &engine);
        Ok(engine)
    }

    fn open(&self, model: &Path, edits: &[ModelEdit]) -> anyhow::Result<Engine> {
        if edits.is_empty() {
            return self.load(model);
        }
        let engine = self.opened(model, &[])?;
        Ok(self.watched("Editing the model", |task| engine.edited(edits, &self.ctx(task)))?)
    }

    fn load(&self, model: &Path) -> anyhow::Result<Engine> {
        let bar = Bar::new(self, "Opening the model");
        let report = |progress| bar.set(progress);
        let ctx = TaskCtx { cancel: self.cancel(), report: &report };
        let stage = |stage| {
            bar.say(match stage {
                Stage::TestingDevice => "Testing the device (once per adapter and driver)",
                Stage::ReadingWeights => "Reading weights",
            });
        };
        let engine = Engine::load(model, self.device, &ctx, &stage)?;
        bar.finish();
        let left_out = &engine.info.left_out;
        if !left_out.is_empty() && !self.quiet {
            self.tell(&format!(
                "left out, as no part of a language model: {}: {}",
                left_out.join(", "),
                model.display()
            ));
        }
        Ok(engine)
    }
}
