//! What each command does: the one place where a click becomes a change.

use std::path::Path;

use eframe::egui;

use super::App;
use crate::analysis::AnalysisSpec;
use crate::facts::Direction;
use crate::figure::Ranges;
use crate::session::Origin;
use crate::ui::command::{Command, Step};
use crate::ui::dialogs::Purpose;
use crate::ui::palette::CommandPalette;
use crate::ui::pane::Pane;
use crate::ui::panels::Help;
use crate::ui::path_prompt::Why;
use crate::ui::row::Row;
use crate::ui::screenshot::LargePicture;
use crate::ui::state::{Beside, FactId, FactKey, JobKind, UNASKED};
use crate::ui::view::{Selection, ViewAction};
use crate::ui::{panels, screenshot};
use crate::worker::Which;

/// In a model of fewer numbers a question is answered faster than a frame is drawn.
pub(super) const SMALL: u64 = 50_000_000;

/// What can be stepped through.
#[derive(Clone, Copy)]
enum Axis {
    Layer,
    Head,
    Token,
}

impl App {
    #[expect(clippy::too_many_lines, reason = "the list of all that can be asked of the window")]
    pub(super) fn handle(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::OpenModel => self.ask(Purpose::Model(Which::Main), ctx),
            Command::OpenModelFile => self.ask(Purpose::ModelFile(Which::Main), ctx),
            Command::GetModel | Command::SearchHub(_) | Command::Download(_) => {
                self.hub_command(command, ctx);
            }
            Command::OpenDataset => self.ask(Purpose::Dataset, ctx),
            Command::SaveScreenshot => self.ask(Purpose::Screenshot, ctx),
            Command::OpenModelBeside => self.ask(Purpose::Model(Which::Beside), ctx),
            Command::OpenModelFileBeside => self.ask(Purpose::ModelFile(Which::Beside), ctx),
            Command::OpenModelBesideAt(dir) => self.open_model(Which::Beside, dir, ctx),
            Command::CloseModelBeside => self.close_model_beside(),
            Command::AskBoth(direction) => {
                self.state.model_beside.asks = direction;
                self.state.selection.position = None;
                self.look();
            }
            Command::TypePath => self.prompt_for(Purpose::Anything, Why::Wanted),
            Command::OpenAt(path) => match Purpose::Anything.accept(path) {
                Ok(command) => self.handle(command, ctx),
                Err(error) => self.state.error = Some(error),
            },
            Command::TypeInstead => self.type_instead(),
            Command::OpenNoise => self.ask(Purpose::Noise, ctx),
            Command::UseNoise(path) => self.use_noise(path),
            Command::OpenSpec
            | Command::OpenSpecAt(_)
            | Command::FillSpec(_)
            | Command::SetSpecText(_)
            | Command::SelectInSpec(_)
            | Command::AskOpenModel(_)
            | Command::TakeEditsOfSpec
            | Command::RunSpec => self.spec_command(command, ctx),
            Command::OpenModelAt(dir) => self.open_model(Which::Main, dir, ctx),
            Command::OpenDatasetAt(path) => self.open_dataset(path, ctx),
            Command::SaveScreenshotTo(path) => {
                self.state.preferences.screenshot_dir = path.parent().map(Path::to_owned);
                match self.state.preferences.screenshot_scale.clamp(1, 4) {
                    1 => screenshot::capture(ctx, path, &self.replies),
                    _ if self.picture.is_some() => {}
                    times => self.picture = Some(LargePicture::begin(ctx, path, times)),
                }
            }
            Command::SetScreenshotScale(scale) => self.state.preferences.screenshot_scale = scale,
            Command::Export(_)
            | Command::ExportOf(_)
            | Command::ChooseFigurePath
            | Command::CopyExport
            | Command::SaveFigureTo(_)
            | Command::CopyTable(_)
            | Command::CopyTableOf(_)
            | Command::CopyImage(_)
            | Command::CopyImageOf(_)
            | Command::CopyCommandLineOf(_)
            | Command::SetFigureScale(_)
            | Command::SaveSpec(_)
            | Command::SaveSpecTo(_) => self.take_away(command, ctx),
            Command::OpenSession
            | Command::OpenSessionAt(_)
            | Command::SaveSession
            | Command::SaveSessionAs
            | Command::SaveSessionTo(_) => self.session_command(command, ctx),
            Command::SaveReport | Command::SaveReportTo(_) => self.report_command(command, ctx),
            Command::Over(_)
            | Command::SetMany(_)
            | Command::ChooseSweepDir
            | Command::SetSweepDir(_)
            | Command::StartSweep
            | Command::LeaveAsking
            | Command::OpenSweep
            | Command::OpenSweepAt(_)
            | Command::GoOnWithSweep
            | Command::LookAtSweep(_)
            | Command::ShowBehind(..)
            | Command::AskFactOfSweep(_)
            | Command::BackToSweep
            | Command::LeaveSwept => self.many_command(command, ctx),
            Command::RestoreUnsaved => self.restore_left_over(ctx),
            Command::DiscardUnsaved => self.state.is_discarding = true,
            Command::KeepUnsaved => self.state.is_discarding = false,
            Command::DiscardForGood => self.discard_left_over(),
            Command::Quit => self.quit(ctx),
            Command::AnswerMemory(answer) => self.answer_memory(answer),
            Command::AnswerClosing(answer) => self.answer_closing(answer, ctx),

            Command::SetTheme(theme) => {
                self.state.preferences.theme = theme;
                ctx.set_theme(theme);
            }
            Command::ZoomIn => egui::gui_zoom::zoom_in(ctx),
            Command::ZoomOut => egui::gui_zoom::zoom_out(ctx),
            Command::ZoomReset => ctx.set_zoom_factor(1.0),

            Command::ShowPane(pane) => self.views.workspace.show(pane),
            Command::CloseView(view) => self.views.workspace.close(view),
            Command::ResetLayout => self.views.workspace.reset(),
            Command::SpreadViews => self.views.workspace.spread(),

            Command::SetBos(bos) => {
                let before = std::mem::replace(&mut self.state.settings.bos, bos);
                self.bos_may_have_changed(before);
                self.look();
            }
            Command::SetDevice(device) => self.set_device(device),

            Command::Select(fact) => self.select(fact),
            Command::LookAt(row) => self.look_at(row),
            Command::Flip => {
                self.look_at(self.state.row.other());
            }
            Command::KeepBeside => self.state.beside = self.state.to_be_kept(),
            Command::ShowBeside(fact) => {
                self.show_beside(Some(Beside { fact, direction: Direction::Forward }));
            }
            Command::DropBeside => self.show_beside(None),
            Command::AskFor((fact, direction, answer)) => {
                self.state.ask_for(fact, direction, answer);
                self.look();
            }
            Command::NextFact => self.step(1),
            Command::PreviousFact => self.step(-1),
            Command::StepLayer(step) => self.step_selection(step, Axis::Layer),
            Command::StepHead(step) => self.step_selection(step, Axis::Head),
            Command::StepToken(step) => self.step_selection(step, Axis::Token),
            Command::FocusSearch => panels::focus_search(ctx),
            Command::AddFact(_)
            | Command::ReplaceFact(_)
            | Command::EditFact
            | Command::RemoveFact => self.fact_command(command),

            Command::Trace => self.trace(),
            Command::TraceKinds => self.trace_kinds(),
            Command::ShowKind(component) => {
                self.state.settings.trace.component = component;
                self.look();
            }
            Command::Study(pane) => self.study(pane),
            Command::Stop(pane) => {
                self.state.jobs.cancel(|kind| kind.is_asked() && kind.pane() == Some(pane));
            }
            Command::ApplyEdit(pane) => self.apply_edit_that_works(pane),
            Command::ApplyAnyway(pane) => self.apply_edit(pane),
            Command::LeaveEdit => self.state.doubted = None,
            Command::DropEdits => self.edit(Vec::new()),
            Command::ShowBefore(is_on) => self.state.preferences.trace_pair.shows_before = is_on,
            Command::ShowDifference(is_on) => {
                self.state.preferences.trace_pair.shows_difference = is_on;
            }
            Command::WeighAttention(weighting) => {
                let is_other = weighting != self.state.settings.attention.weighting;
                let is_swept = self.state.shows_swept(Pane::Attention);
                if (is_other || is_swept) && !self.refuses() {
                    self.state.settings.attention.weighting = weighting;
                    self.state.leave_swept(Pane::Attention);
                    self.look();
                }
            }
            Command::SetSameScale(is_on) => {
                self.state.preferences.trace_pair.has_same_scale = is_on;
            }
            Command::Set(setting) => {
                if let Some(pane) = setting.pane() {
                    self.state.leave_swept(pane);
                }
                self.state.set(*setting);
                self.look();
            }
            Command::ShowMoreOfTrace(is_on) => {
                self.state.preferences.shows_more_of_trace = Some(is_on);
            }
            Command::SearchFacts(query) => {
                self.state.facts.set_query(query);
                self.views.facts.list_anew();
            }
            Command::FilterFacts(filter) => {
                self.state.facts.set_filter(*filter);
                self.views.facts.list_anew();
            }
            Command::SetMeasuresRecall(is_on) => self.state.preferences.measures_recall = is_on,
            Command::AskAllFacts(is_on) => self.ask_all_facts(is_on),
            Command::SetTracesAtOnce(is_on) => {
                self.state.preferences.traces_at_once = is_on;
                self.look();
            }
            Command::Cancel => self.cancel(),
            Command::CancelLoading => {
                self.state.jobs.cancel(|kind| matches!(kind, JobKind::Load(..)));
            }
            Command::Paint(paint) => {
                if let Some(key) = self.state.key() {
                    self.state.painted.change(key, paint);
                }
            }
            Command::View(ViewAction::Select(selection)) => {
                self.state.selection = selection;
                self.look();
                self.follow_picked();
            }
            // What the pointer is on is only marked: the worker is asked nothing.
            Command::Hover(hovered) => self.state.hovered = Some(hovered),
            Command::View(ViewAction::Hover(_) | ViewAction::Place { .. }) => {}
            Command::View(ViewAction::HoldRange { quantity, range }) => {
                let ranges = &mut self.state.settings.ranges;
                match range {
                    Some(range) => ranges.hold(&quantity, range),
                    None => ranges.release(&quantity),
                }
            }
            Command::ReleaseRanges => self.state.settings.ranges = Ranges::default(),
            Command::View(ViewAction::SplitBy(parts)) => {
                self.state.parts = parts;
                self.state.leave_swept(Pane::Attribution);
                self.look();
            }

            Command::Match(convention) => {
                let bos = self.state.settings.bos;
                convention.apply(&mut self.state.settings);
                self.state.swept = None;
                self.bos_may_have_changed(bos);
                self.look();
            }
            Command::RaiseJob(_)
            | Command::LowerJob(_)
            | Command::CancelJob(_)
            | Command::CancelAllJobs
            | Command::ShowEnded(_)
            | Command::AskAgain(_)
            | Command::ForgetEnded => self.job_command(&command),
            Command::ForgetResults => {
                if !self.refuses() {
                    self.state.forget_results();
                    self.views.forget_studies();
                    self.state.notice = Some("All results are forgotten".to_owned());
                    self.look();
                }
            }
            Command::SetResultsLimit(limit) => {
                self.state.preferences.results_limit_mb = limit;
                self.evict();
            }
            Command::DismissError => self.state.error = None,
            Command::DismissHint => self.state.preferences.knows_hint = true,
            Command::ShowPalette => self.palette = Some(CommandPalette::default()),
            Command::Undo | Command::Redo => self.step_in_time(&command),
            Command::ShowShortcuts => self.help = Some(Help::Shortcuts),
            Command::ShowLicences => self.help = Some(Help::Licences),
            Command::ShowAbout => self.help = Some(Help::About),
        }
    }

    /// Goes a step back or forward, and says which.
    fn step_in_time(&mut self, command: &Command) {
        let bos = self.state.settings.bos;
        let is_back = *command == Command::Undo;
        if self.state.step_edits(is_back) && (self.state.is_changing() || self.refuses()) {
            if self.state.is_changing() {
                self.state.notice = Some("The model is still being changed".to_owned());
            }
            return;
        }
        let (told, edits) = if is_back {
            (self.state.undoes().map(|it| format!("Undone: {it}")), self.state.undo())
        } else {
            (self.state.redoes().map(|it| format!("Done again: {it}")), self.state.redo())
        };
        if let Some(edits) = edits {
            self.recall_of(bos);
            self.edit(edits);
            self.state.notice = told;
            self.look();
            self.views.facts.reveal();
        }
    }

    // Choosing.

    pub(super) fn select(&mut self, fact: FactId) {
        if self.state.selected != Some(fact) {
            self.state.selected = Some(fact);
            self.state.swept = None;
            self.state.forget_complaint();
            self.state.selection = Selection::default();
            self.state.stop_waiting();
        }
        // Not every fact has an inverse, and what is kept beside it is not what was chosen.
        if self.state.fact().is_none() || self.state.beside.is_some() {
            self.state.row = Row::First;
        }
        self.look();
    }

    /// No fact is chosen any more.
    pub(super) fn choose_none(&mut self) {
        self.state.selected = None;
        self.state.swept = None;
        self.state.forget_complaint();
        self.state.selection = Selection::default();
        self.state.stop_waiting();
        self.state.row = Row::First;
        self.look();
    }

    fn show_beside(&mut self, beside: Option<Beside>) {
        if self.state.beside == beside {
            return;
        }
        self.state.beside = beside;
        if self.state.row == Row::Second {
            self.state.row = Row::First;
            self.state.selection.position = None;
        }
        self.look();
    }

    fn look_at(&mut self, row: Row) {
        if self.state.row != row && self.state.fact_at(row).is_some() {
            self.state.row = row;
            // Positions of one prompt mean nothing in the other.
            self.state.selection.position = None;
            self.look();
        }
    }

    pub(super) fn step(&mut self, step: isize) {
        if let Some(fact) = self.state.facts.neighbour(self.state.selected, step) {
            self.select(fact);
            self.views.facts.reveal();
        }
    }

    /// Picks out what is beside; the first or the last where nothing is picked out yet.
    fn step_selection(&mut self, step: Step, axis: Axis) {
        let info = self.state.info_at(self.state.row);
        let (Some(info), Some(prompt)) = (info, self.state.prompt()) else { return };
        let config = &info.config;
        let n = match axis {
            Axis::Layer => config.n_layers,
            Axis::Head => config.n_heads,
            Axis::Token => prompt.n_pos(),
        };
        self.state.selection = self.state.selection_at(self.state.row);
        let selection = &mut self.state.selection;
        let at = match axis {
            Axis::Layer => &mut selection.layer,
            Axis::Head => &mut selection.head,
            Axis::Token => &mut selection.position,
        };
        *at = Some(match (*at, step) {
            (Some(at), Step::Next) => (at + 1).min(n - 1),
            (Some(at), Step::Previous) => at.saturating_sub(1),
            (None, Step::Next) => 0,
            (None, Step::Previous) => n - 1,
        });
        self.look();
        self.follow_picked();
    }

    /// Asks for what the panels show of the chosen fact and is not known yet: everything in the
    /// row that is looked at, and the prediction in the other.
    pub(super) fn look(&mut self) {
        let rows: Vec<Row> = self.state.rows().collect();
        let keys: Vec<(Row, FactKey)> =
            rows.into_iter().filter_map(|row| Some((row, self.state.visit(row)?))).collect();
        let wanted: Vec<(Pane, FactKey, AnalysisSpec)> = keys
            .into_iter()
            .flat_map(|(row, key)| {
                let is_looked_at = row == self.state.row;
                let panes = if is_looked_at { &UNASKED[..] } else { &[Pane::Prediction] };
                panes.iter().map(move |pane| (*pane, row, key))
            })
            .filter_map(|(pane, row, key)| Some((pane, key, self.state.spec_of(pane, row).ok()?)))
            .collect();
        let quick = self.state.quick_traces().into_iter();
        let wanted: Vec<(Pane, FactKey, AnalysisSpec)> =
            wanted.into_iter().chain(quick.map(|(key, spec)| (Pane::Trace, key, spec))).collect();
        // Nobody looks at what was wanted before.
        self.state.give_up(|key, run| {
            run.origin == Origin::Unasked
                && wanted.iter().all(|(_, of, spec)| (*of, spec) != (key, &run.spec))
        });
        if self.state.stored.is_none() {
            for (pane, key, spec) in wanted {
                self.begin(pane, key, spec, Origin::Unasked);
            }
            // Where all else is known, nothing would tell whether the trace is quick.
            let is_untraced = self.state.rows().any(|row| self.state.trace(row).is_none());
            if is_untraced && self.state.jobs.iter().next().is_none() {
                self.time_a_question();
            }
        }
    }
}
