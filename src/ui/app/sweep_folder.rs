//! The folder of a sweep: shown, read while it grows, and gone on with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::App;
use crate::analysis::ModelEdit;
use crate::figure::words::counted;
use crate::population::{FolderError, Manifest, Plan, Population, Shard, Wanted, sweep_bytes};
use crate::ui::pane::Pane;
use crate::ui::reply::{Reply, aside};
use crate::ui::state::{JobKind, ManyJob, OpenSweep, ReadSweep, SweepView, capitalized};
use crate::worker::JobId;

impl App {
    /// Shows the folder of a sweep.
    pub(super) fn open_sweep(&mut self, dir: PathBuf) {
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        self.state.preferences.remember_sweep(&dir);
        self.state.many.open = Some(self.sweep_at(dir, SweepView::default()));
        self.views.workspace.show(Pane::Sweep);
    }

    /// A folder to be shown, with the job that writes to it, if there is one.
    pub(super) fn sweep_at(&self, dir: PathBuf, view: SweepView) -> OpenSweep {
        let is_of =
            |kind: &JobKind| matches!(kind, JobKind::Many(_, ManyJob::Sweep(it)) if *it == dir);
        let job = self.state.jobs.iter().find(|(_, job)| is_of(&job.kind)).map(|(id, _)| id);
        OpenSweep::new(dir, view, job)
    }

    /// Reads the folder that is shown, or lays its figure out otherwise, on a thread of its own.
    pub(super) fn read_sweep(&mut self, ctx: &egui::Context) {
        let Some(open) = &mut self.state.many.open else { return };
        if !open.is_due(Instant::now()) {
            return;
        }
        (open.is_reading, open.has_grown) = (true, false);
        let (dir, view, before) = (open.dir.clone(), open.view.clone(), open.read.clone());
        let thread = aside("read sweep", &self.replies, ctx, move || {
            let start = Instant::now();
            let read = read(&dir, view, before).map_err(|error| capitalized(&error));
            Reply::Swept { dir, read, took: start.elapsed() }
        });
        if let Err(error) = thread {
            open.error = Some(format!("The folder cannot be read: {error}"));
        }
    }

    pub(super) fn go_on_with_sweep(&mut self) {
        if self.refuses() || self.is_sweeping() {
            return;
        }
        let Some(open) = &self.state.many.open else { return };
        let dir = open.dir.clone();
        let Some(read) = open.read.clone() else { return };
        let shard = read.manifest.shard.map(|[index, count]| Shard { index, count });
        match Plan::again(&read.manifest, &dir) {
            Ok(plan) => {
                if let Some(which) = self.state.model_asked(&plan.written.outline) {
                    self.sweep(plan, dir, which, shard);
                } else {
                    let edits = &plan.written.outline.edits;
                    self.state.error = Some(self.not_of_open_model(&read.manifest, edits));
                }
            }
            Err(error) => self.state.error = Some(capitalized(&error)),
        }
    }

    /// Why a sweep cannot be asked of what is open, and what to do.
    pub(super) fn not_of_open_model(&self, manifest: &Manifest, edits: &[ModelEdit]) -> String {
        let Manifest { model, .. } = manifest;
        let Some(info) = self.state.info() else {
            return format!("The sweep is of {model}, and no model is open: open its model first");
        };
        let as_made = |edits: &[ModelEdit]| match edits.len() {
            0 => "as it was opened".to_owned(),
            n => format!("with {}", counted(n, "change")),
        };
        if info.name == *model && self.state.edits != edits {
            return format!(
                "The sweep is of {model} {}, and the open model is {}: change it so first",
                as_made(edits),
                as_made(&self.state.edits)
            );
        }
        let place = info.dir.display();
        format!(
            "The sweep is of {model}, and the open model is {}, from {place}: open its model first",
            info.name
        )
    }

    pub(super) fn hear_sweep(&mut self, reply: Reply, ctx: &egui::Context) {
        match reply {
            Reply::Swept { dir, read, took } => {
                let jobs = &self.state.jobs;
                let Some(open) = self.state.many.open.as_mut().filter(|it| it.dir == dir) else {
                    return;
                };
                open.is_reading = false;
                open.rest(took);
                let is_running = open.job.is_some_and(|id| jobs.get(id).is_some());
                match read {
                    Ok(read) => {
                        open.error = None;
                        if let (Some((behind, _)), Some(before)) = (&open.behind, &open.read)
                            && !Arc::ptr_eq(&before.population, &read.population)
                        {
                            open.behind = read.again(behind, before);
                        }
                        open.read = Some(read);
                    }
                    // There is nothing before the first facts are asked.
                    Err(_) if is_running && open.read.is_none() => {}
                    Err(error) => open.error = Some(error),
                }
                if is_running || open.has_grown {
                    ctx.request_repaint_after(open.next.saturating_duration_since(Instant::now()));
                }
            }
            Reply::FactOfSweep { which, found } => match found {
                Ok(found) => self.show_fact_of_sweep(which, *found, ctx),
                Err(error) => self.state.error = Some(capitalized(&error)),
            },
            _ => {}
        }
    }

    /// A job of many facts has said something or is over.
    pub(super) fn sweep_grows(&mut self, id: JobId, is_over: bool) {
        if let Some(open) = self.state.many.open.as_mut().filter(|it| it.job == Some(id)) {
            open.has_grown = true;
            if is_over {
                open.job = None;
                open.next = Instant::now();
            }
        }
    }
}

/// Reads a folder, unless nothing has come since, and lays it out.
fn read(
    dir: &Path,
    view: SweepView,
    before: Option<Arc<ReadSweep>>,
) -> Result<Arc<ReadSweep>, FolderError> {
    let n_bytes = sweep_bytes(dir)?;
    let known = before.filter(|it| it.n_bytes == n_bytes && n_bytes > 0);
    if let Some(known) = known.as_ref().filter(|it| it.view == view) {
        return Ok(Arc::clone(known));
    }
    let population = match known {
        Some(known) => Arc::clone(&known.population),
        None => Arc::new(Population::load(dir, &Wanted::default())?),
    };
    let laid = population.laid(&view.shown());
    Ok(Arc::new(ReadSweep {
        manifest: population.manifest.clone(),
        figure: Arc::new(laid.figure),
        behind: laid.behind,
        population,
        view,
        n_bytes,
    }))
}

/// Where sweeps lie that are given no other folder. `None` where the user has no folder for data.
pub fn sweeps_dir() -> Option<PathBuf> {
    let dir = dirs::data_dir().filter(|dir| dir.is_absolute())?;
    Some(dir.join("factscope").join("sweeps"))
}
