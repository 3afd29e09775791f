//! Every action a user can ask for: its text, its tooltip, its keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Key, KeyboardShortcut, Modifiers, ThemePreference};

use super::pane::{Pane, View};
use super::row::Row;
use super::state::{Convention, FactId, Filter, Paint, Setting};
use super::view::{Hovered, Selection, ViewAction};
use crate::analysis::attention::Weighting;
use crate::analysis::causal_trace::Component;
use crate::builtin;
use crate::facts::{Dataset, Direction, Fact};
use crate::figure::Figure;
use crate::tokens::Bos;
use crate::worker::{DeviceChoice, JobId, Which};

/// Handled in one place, `App::handle`.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    OpenModel,
    TypeModelPath,
    OpenModelAt(PathBuf),

    /// A second one, which the second row is asked of.
    OpenModelBeside,
    TypeModelBesidePath,
    OpenModelBesideAt(PathBuf),
    CloseModelBeside,

    /// Which way both models are asked.
    AskBoth(Direction),
    OpenDataset,
    TypeDatasetPath,
    OpenDatasetAt(PathBuf),
    /// For the traces to come.
    OpenNoise,
    TypeNoisePath,
    UseNoise(PathBuf),
    OpenSession,
    TypeSessionPath,
    OpenSessionAt(PathBuf),

    /// To where it was opened from or saved to; asks if there is no such place.
    SaveSession,
    SaveSessionAs,
    SaveSessionTo(PathBuf),
    SaveScreenshot,
    TypeScreenshotPath,
    SaveScreenshotTo(PathBuf),

    /// How large they are, in times the window.
    SetScreenshotScale(u8),

    /// Asks where to.
    SaveFigure(Arc<Figure>),

    /// The same for what a view shows of the fact as it is looked at.
    SaveFigureOf(Pane),
    CopyTableOf(Pane),
    CopyFigureOf(Pane),
    CopyImage(Arc<Figure>),
    CopyImageOf(Pane),

    /// What finds the same again in a terminal.
    CopyCommandLineOf(Pane),

    /// How large pictures are that are saved or copied, in times their size on a screen.
    SetFigureScale(u8),

    /// What was asked, for `factscope run`.
    SaveSpec(Pane),
    SaveSpecTo(PathBuf),

    /// As text, to be changed and carried out.
    OpenSpec,
    OpenSpecAt(PathBuf),
    FillSpec(Pane),

    /// The experiment that is typed is of an open model as it is.
    AskOpenModel(Which),
    TakeEditsOfSpec,
    SetSpecText(String),

    /// In the figure of the experiment, where that is of another prompt than the other views.
    SelectInSpec(Selection),
    RunSpec,
    SaveFigureTo(PathBuf),
    CopyTable(Arc<Figure>),
    /// Asks first if something would be lost.
    Quit,
    AnswerClosing(ClosingAnswer),

    SetTheme(ThemePreference),
    ZoomIn,
    ZoomOut,
    ZoomReset,

    /// Opens the view of a mode in it, in front.
    ShowPane(Pane),
    CloseView(View),
    ResetLayout,
    SpreadViews,

    SetBos(Bos),
    SetDevice(DeviceChoice),

    Select(FactId),
    LookAt(Row),

    /// From the fact to its inverse, and back.
    Flip,

    /// The fact that is looked at stands in the inverse's place, whichever is chosen next.
    KeepBeside,

    /// The same for any fact, as the dataset asks it.
    ShowBeside(FactId),
    DropBeside,
    NextFact,
    PreviousFact,

    /// Of what is picked out across the views.
    StepLayer(Step),
    StepHead(Step),
    StepToken(Step),
    FocusSearch,
    SearchFacts(String),
    FilterFacts(Box<Filter>),
    AddFact(Fact),

    Trace,

    /// Whether the trace view shows the fact's map minus the inverse's, too.
    ShowDifference(bool),

    /// All three kinds of it.
    TraceKinds,

    /// Which of them is large.
    ShowKind(Component),

    /// One setting, as a panel has edited it.
    Set(Box<Setting>),

    /// Whether the rarer settings of a trace are shown.
    ShowMoreOfTrace(bool),

    /// Whether both maps of the trace view have the same colours for the same values.
    SetSameScale(bool),

    /// What the attention view shows of a query and a key.
    WeighAttention(Weighting),

    /// An ablation or a knockout, of the fact and its inverse.
    Study(Pane),

    /// What a view has asked for is not gone on with.
    Stop(Pane),

    /// Everything that is looked at from now on is looked at in the model with the edit that a view
    /// tries out.
    ApplyEdit(Pane),
    DropEdits,

    /// Whether the dataset's facts are asked in the background.
    SetMeasuresRecall(bool),

    /// Stops what is running; if nothing is, clears the selection.
    Cancel,
    CancelLoading,

    /// Each map has its own colours again.
    ReleaseRanges,
    View(ViewAction),

    /// Attention edges of the prompt that is looked at, to be cut.
    Paint(Paint),

    /// The pointer is on something that other views may show.
    Hover(Hovered),

    /// All settings that numbers depend on, as another program has them.
    Match(Convention),

    /// Among those that wait.
    RaiseJob(JobId),
    LowerJob(JobId),
    CancelJob(JobId),
    CancelAllJobs,

    /// What a job found that is over.
    ShowEnded(JobId),
    AskAgain(JobId),
    ForgetEnded,
    ForgetResults,

    /// In MB.
    SetResultsLimit(u32),
    DismissError,
    DismissHint,
    ShowPalette,
    Undo,
    Redo,
    ShowShortcuts,
    ShowAbout,
}

/// What can be answered when the window asks whether to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingAnswer {
    Save,
    Discard,
    Cancel,
}

/// One on or one back; there is no way round the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Next,
    Previous,
}

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn ctrl_alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::ALT), key)
}

impl Command {
    /// Those with keys, in the order of the list of shortcuts. Keys with more modifiers come first:
    /// egui lets Ctrl+O match Ctrl+Shift+O.
    pub const WITH_KEYS: [Self; 28] = [
        Self::OpenModel,
        Self::OpenSession,
        Self::OpenDataset,
        Self::SaveSessionAs,
        Self::SaveScreenshot,
        Self::SaveSession,
        Self::Trace,
        Self::RunSpec,
        Self::Cancel,
        Self::NextFact,
        Self::PreviousFact,
        Self::StepLayer(Step::Next),
        Self::StepLayer(Step::Previous),
        Self::StepHead(Step::Next),
        Self::StepHead(Step::Previous),
        Self::StepToken(Step::Next),
        Self::StepToken(Step::Previous),
        Self::Flip,
        Self::DropBeside,
        Self::KeepBeside,
        Self::FocusSearch,
        Self::ShowPalette,
        // Before undoing: its keys are those of undoing, and one more.
        Self::Redo,
        Self::Undo,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::ZoomReset,
        Self::Quit,
    ];

    /// All that takes away what a view shows.
    pub fn taking_away(pane: Pane) -> [Self; 7] {
        [
            Self::SaveFigureOf(pane),
            Self::CopyImageOf(pane),
            Self::CopyFigureOf(pane),
            Self::CopyTableOf(pane),
            Self::SaveSpec(pane),
            Self::FillSpec(pane),
            Self::CopyCommandLineOf(pane),
        ]
    }

    /// As it stands in menus and on buttons.
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub fn text(&self) -> String {
        match self {
            Self::OpenModel => "Open model folder…",
            Self::TypeModelPath => "Type a model path…",
            Self::OpenModelBeside => "Open model folder beside…",
            Self::TypeModelBesidePath => "Type the path of a model beside…",
            Self::CloseModelBeside => "Close second model",
            Self::AskBoth(Direction::Forward) => "Ask both the fact",
            Self::AskBoth(Direction::Inverse) => "Ask both the inverse",
            Self::OpenDataset => "Open dataset…",
            Self::TypeDatasetPath => "Type a dataset path…",
            Self::OpenNoise => "Noise from a file…",
            Self::TypeNoisePath => "Type a noise file's path…",
            Self::OpenSession => "Open session…",
            Self::TypeSessionPath => "Type a session path…",
            Self::SaveSession | Self::SaveSessionTo(_) => "Save session",
            Self::SaveSessionAs => "Save session as…",
            Self::SaveScreenshot => "Save screenshot…",
            Self::TypeScreenshotPath => "Type a screenshot path…",
            Self::SaveScreenshotTo(_) => "Save screenshot",
            Self::SetScreenshotScale(times) => return format!("Screenshots at {times}×"),
            Self::SaveFigure(_) | Self::SaveFigureOf(_) => "Save figure…",
            Self::CopyFigureOf(_) => "Copy figure as SVG",
            Self::CopyImage(_) | Self::CopyImageOf(_) => "Copy image",
            Self::CopyCommandLineOf(_) => "Copy command line",
            Self::SetFigureScale(times) => return format!("Pictures at {times}×"),
            Self::SaveSpec(_) => "Save what was asked…",
            Self::SaveSpecTo(_) => "Save what was asked",
            Self::OpenSpec | Self::OpenSpecAt(_) => "Open experiment…",
            Self::FillSpec(_) => "Edit what was asked as text",
            Self::AskOpenModel(_) => "Ask the open model instead",
            Self::TakeEditsOfSpec => "Change the open model so",
            Self::SetSpecText(_) => "Type an experiment",
            Self::RunSpec => "Run experiment",
            Self::SaveFigureTo(_) => "Save figure",
            Self::CopyTable(_) | Self::CopyTableOf(_) => "Copy table",
            Self::Quit => "Quit",
            Self::AnswerClosing(ClosingAnswer::Save) => "Save and close",
            Self::AnswerClosing(ClosingAnswer::Discard) => "Close without saving",
            Self::SetTheme(ThemePreference::System) => "System theme",
            Self::SetTheme(ThemePreference::Light) => "Light theme",
            Self::SetTheme(ThemePreference::Dark) => "Dark theme",
            Self::ZoomIn => "Zoom in",
            Self::ZoomOut => "Zoom out",
            Self::ZoomReset => "Reset zoom",
            Self::ShowPane(pane) => pane.text(),
            Self::CloseView(view) => view.text(),
            Self::ResetLayout => "Usual arrangement",
            Self::SpreadViews => "All views side by side",
            Self::SetBos(Bos::Off) => "ROME (no BOS)",
            Self::SetBos(Bos::On) => "TransformerLens (BOS)",
            Self::Select(_) => "Choose fact",
            Self::LookAt(Row::First) => "Fact",
            Self::LookAt(Row::Second) => "Inverse",
            Self::Flip => "Fact or inverse",
            Self::KeepBeside => "Keep beside",
            Self::ShowBeside(_) => "Show beside the chosen fact",
            Self::DropBeside => "Back to the inverse",
            Self::NextFact => "Next fact",
            Self::PreviousFact => "Previous fact",
            Self::StepLayer(Step::Next) => "Next layer",
            Self::StepLayer(Step::Previous) => "Previous layer",
            Self::StepHead(Step::Next) => "Next head",
            Self::StepHead(Step::Previous) => "Previous head",
            Self::StepToken(Step::Next) => "Next token",
            Self::StepToken(Step::Previous) => "Previous token",
            Self::FocusSearch | Self::SearchFacts(_) => "Search facts",
            Self::FilterFacts(_) => "Filter and sort",
            Self::AddFact(_) => "Analyse",
            Self::Trace => "Trace",
            Self::ShowDifference(_) => "Difference",
            Self::TraceKinds => "All kinds",
            Self::ShowKind(Component::Hidden) => "Hidden state",
            Self::ShowKind(Component::Mlp) => "MLP",
            Self::ShowKind(Component::Attn) => "Attention",
            Self::SetSameScale(_) => "Same scale",
            Self::WeighAttention(Weighting::Pattern) => "Weights",
            Self::WeighAttention(Weighting::ValueWeighted) => "× value",
            Self::WeighAttention(Weighting::NormBased) => "Norm",
            Self::WeighAttention(Weighting::Rollout) => "Rollout",
            Self::Study(pane) => pane.verb(),
            Self::Stop(_) => "Stop",
            Self::ApplyEdit(_) => "Use the changed model",
            Self::DropEdits => "Back to the model as it is",
            Self::SetMeasuresRecall(_) => "Measure recall in the background",
            Self::Cancel => "Cancel, or clear the selection",
            Self::CancelLoading | Self::AnswerClosing(ClosingAnswer::Cancel) => "Cancel",
            Self::ReleaseRanges => "Each map its own colour range",
            Self::View(_) | Self::Hover(_) | Self::SelectInSpec(_) => "Select",
            Self::Set(_) => "Change a setting",
            Self::ShowMoreOfTrace(_) => "Settings",
            Self::Paint(Paint::Clear) => "Clear painted edges",
            Self::Paint(_) => "Paint an edge",
            Self::Match(Convention::Rome) => "Matches ROME",
            Self::Match(Convention::TransformerLens) => "Matches TransformerLens",
            Self::RaiseJob(_) => "Raise",
            Self::LowerJob(_) => "Lower",
            Self::CancelJob(_) => "Cancel job",
            Self::CancelAllJobs => "Cancel all jobs",
            Self::ShowEnded(_) => "Show",
            Self::AskAgain(_) => "Again",
            Self::ForgetEnded => "Clear the list of done jobs",
            Self::ForgetResults => "Forget all results",
            Self::SetResultsLimit(_) => "Limit of results",
            Self::DismissError => "Dismiss",
            Self::DismissHint => "Got it",
            Self::ShowPalette => "Find a command…",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::ShowShortcuts => "Keyboard shortcuts",
            Self::ShowAbout => "About Factscope",
            Self::OpenDatasetAt(path) if path == Path::new(Dataset::BUNDLED) => "Built-in facts",
            Self::OpenModelAt(path) | Self::OpenModelBesideAt(path) => {
                return builtin::find(path).map_or_else(|| place(path), |it| it.title.to_owned());
            }
            Self::OpenDatasetAt(path) | Self::OpenSessionAt(path) | Self::UseNoise(path) => {
                return place(path);
            }
            Self::SetDevice(device) => {
                return match device {
                    DeviceChoice::Auto => "Automatic".to_owned(),
                    DeviceChoice::Cpu => "CPU".to_owned(),
                    DeviceChoice::Wgpu(_) => device.to_string(),
                };
            }
        }
        .to_owned()
    }

    /// More than the text says; empty if there is no more.
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::OpenModel => {
                "A GPT-2 in Hugging Face's layout: a folder with config.json, model.safetensors \
                 and the tokenizer's files"
            }
            Self::OpenDataset => {
                "Facts as JSON (CounterFact, ROME's known_1000.json, LRE), JSON Lines, CSV or \
                 Parquet"
            }
            Self::OpenModelBeside | Self::OpenModelBesideAt(_) => {
                "A second model: both are asked the same, one above the other, with the same settings"
            }
            Self::CloseModelBeside => "What was found in it is forgotten",
            Self::AskBoth(Direction::Forward) => "Both models are asked the fact",
            Self::AskBoth(Direction::Inverse) => "Both models are asked the fact's inverse",
            Self::TypeModelPath
            | Self::TypeModelBesidePath
            | Self::TypeDatasetPath
            | Self::TypeSessionPath
            | Self::TypeNoisePath
            | Self::TypeScreenshotPath => "For systems without a file dialog",
            Self::OpenNoise => {
                "A float32 or float64 array of numpy's (.npy, or the only one of an .npz) of shape \
                 (samples, subject tokens, d_model), added to the subject's embeddings as it is"
            }
            Self::OpenSession => {
                "A .factscope file: its results are shown again, and nothing is computed for that"
            }
            Self::SaveSession | Self::SaveSessionAs => {
                "Model, facts, settings, arrangement, edits and all results in one .factscope file"
            }
            Self::SaveFigure(_) | Self::SaveFigureOf(_) => {
                "As SVG or PDF with real axes and text, as PNG, or its numbers as CSV, JSON, npz or \
                 Parquet: the ending of the name decides"
            }
            Self::CopyFigureOf(_) => "As text, to be pasted into a drawing program",
            Self::CopyImage(_) | Self::CopyImageOf(_) => {
                "As a picture of pixels, as large as the setting says"
            }
            Self::CopyCommandLineOf(_) => {
                "For a terminal: `factscope run` on model, fact, settings and seed"
            }
            Self::SetFigureScale(_) => {
                "How large PNGs and copied images are, in times their size on a screen"
            }
            Self::SaveSpec(_) => {
                "Model, fact, settings and seed as a file: `factscope run FILE` finds the same again"
            }
            Self::OpenSpec => "A file that --save-spec or “Save what was asked” has written",
            Self::FillSpec(_) => "Fills the Spec view, where it can be changed and run",
            Self::AskOpenModel(_) => "Writes the open model, with its changes, into the text",
            Self::TakeEditsOfSpec => {
                "All views show the model as the experiment has it, until you go back"
            }
            Self::RunSpec => {
                "Carries out the experiment of the Spec view on the open model that it names"
            }
            Self::CopyTable(_) | Self::CopyTableOf(_) => {
                "The numbers as CSV, to be pasted into a spreadsheet"
            }
            Self::SaveScreenshot => "The window as it is now, as a PNG",
            Self::SetScreenshotScale(_) => {
                "How large screenshots are, in times the window: above 1 text and maps are drawn anew, \
                 larger"
            }
            Self::ResetLayout => "All views where they were at the first start",
            Self::SpreadViews => "Every view open and seen at once, for a large screen",
            Self::SetBos(Bos::Off) => {
                "The prompt as it is, as ROME's code runs it: its first token is at position 0"
            }
            Self::SetBos(Bos::On) => {
                "<|endoftext|> is put before the prompt, as TransformerLens does by default"
            }
            Self::SetDevice(DeviceChoice::Auto) => "A GPU if there is one, else the CPU",
            Self::SetDevice(_) => "Opens the model again on this device",
            Self::SetMeasuresRecall(_) => {
                "While nothing else is to be done, asks the model every fact of the dataset, both \
                 ways, for the list to show which it knows"
            }
            Self::Trace => {
                "Corrupts the subject, restores one state at a time, and maps how much of the \
                 answer's probability comes back"
            }
            Self::TraceKinds => {
                "Traces hidden states, MLPs and attention, to be seen at once: small, and the one \
                 that is chosen large"
            }
            Self::ShowKind(component) => about_component(*component),
            Self::ShowDifference(_) => {
                "The upper map minus the lower one, tokens paired by their role"
            }
            Self::WeighAttention(Weighting::Pattern) => {
                "softmax(q k / √d): where a head looks, from 0 to 1"
            }
            Self::WeighAttention(Weighting::ValueWeighted) => {
                "The weight times ‖v‖ of the key: a head that looks at a token of small value takes \
                 little from there"
            }
            Self::WeighAttention(Weighting::NormBased) => {
                "‖weight · v W_O‖, the length of what is moved (Kobayashi et al. 2020)"
            }
            Self::WeighAttention(Weighting::Rollout) => {
                "The product of (A + I) / 2 over this layer and all below (Abnar & Zuidema 2020)"
            }
            Self::ReleaseRanges => "Lets go of all colour ranges that are held across maps",
            Self::SetSameScale(_) => "The same colour stands for the same value in both maps",
            Self::Study(Pane::Ablation) => {
                "Replaces one part of the model at a time, for the fact and its inverse, and measures \
                 the answer again"
            }
            Self::Study(Pane::Knockout) => {
                "Sets the scores between these tokens to −∞ in a window of layers, for the fact and \
                 its inverse, and measures the answer again (Geva et al. 2023)"
            }
            Self::ShowPane(pane) | Self::Study(pane) => pane.tooltip(),
            Self::CloseView(view) => view.tooltip(),
            Self::LookAt(Row::First) => "The fact as the dataset asks it",
            Self::LookAt(Row::Second) => {
                "The same fact asked from its answer: who or what is it true of?"
            }
            Self::KeepBeside => {
                "Keeps this fact in the inverse's place, whichever fact is chosen next. Ctrl+click on \
                 a fact of the list puts that one there"
            }
            Self::ShowBeside(_) => {
                "In the inverse's place: traces, difference, comparison and patching then are of \
                 these two facts"
            }
            Self::DropBeside => "The chosen fact is shown beside its own inverse again",
            Self::Paint(Paint::Clear) => "Nothing of this prompt's attention is cut any more",
            Self::ShowPalette => "Everything that can be done, by name",
            Self::Undo => "Takes back what was last chosen or set; results are kept",
            Self::Redo => "Does again what was taken back",
            Self::ApplyEdit(_) => {
                "All views show the model as this leaves it, until you go back: trace the edited fact, \
                 or look at others"
            }
            Self::DropEdits => {
                "Takes all edits back; what was found in the edited model is forgotten"
            }
            Self::Match(Convention::Rome) => {
                "No BOS, 3 × σ of noise, numpy's seed 1, 10 samples, windows of 10 layers clipped at \
                 the ends, probability of the first token (Meng et al. 2022). Can be undone"
            }
            Self::Match(Convention::TransformerLens) => {
                "BOS before the prompt, one layer at a time, logit difference to the foil. It brings \
                 no noise of its own: ROME's stays. Can be undone"
            }
            Self::RaiseJob(_) => "One place towards the front",
            Self::LowerJob(_) => "One place towards the end",
            Self::CancelJob(_) => "What it has found so far stays",
            Self::CancelAllJobs => "Stops what is running, and empties the queue",
            Self::ShowEnded(_) => {
                "Its result, with the fact and the settings it was asked with. Can be undone"
            }
            Self::AskAgain(_) => "The same again, with the settings it was asked with",
            Self::ForgetEnded => "Results stay",
            Self::ForgetResults => {
                "Everything that was found, of all facts; edits, settings and recall stay"
            }
            Self::AnswerClosing(ClosingAnswer::Save) => {
                "Writes the session where it was opened from or saved to, then closes the window"
            }
            Self::AnswerClosing(ClosingAnswer::Discard) => {
                "What is not in a session file is lost, and jobs are stopped"
            }
            Self::AnswerClosing(ClosingAnswer::Cancel) => "The window stays open",
            Self::FocusSearch => "Looks in prompts, subjects, answers and relation ids",
            _ => "",
        }
    }

    /// The first is shown in menus.
    pub fn shortcuts(&self) -> &'static [KeyboardShortcut] {
        const OPEN_MODEL: &[KeyboardShortcut] = &[ctrl_shift(Key::O)];
        const OPEN_DATASET: &[KeyboardShortcut] = &[ctrl(Key::O)];
        const OPEN_SESSION: &[KeyboardShortcut] = &[ctrl_alt(Key::O)];
        const SAVE: &[KeyboardShortcut] = &[ctrl(Key::S)];
        const SAVE_AS: &[KeyboardShortcut] = &[ctrl_shift(Key::S)];
        const SCREENSHOT: &[KeyboardShortcut] = &[ctrl_alt(Key::S)];
        const TRACE: &[KeyboardShortcut] = &[ctrl(Key::T), key(Key::F5)];
        const RUN_SPEC: &[KeyboardShortcut] = &[ctrl(Key::Enter)];
        const CANCEL: &[KeyboardShortcut] = &[key(Key::Escape)];
        const NEXT: &[KeyboardShortcut] = &[ctrl(Key::ArrowDown), key(Key::ArrowDown)];
        const PREVIOUS: &[KeyboardShortcut] = &[ctrl(Key::ArrowUp), key(Key::ArrowUp)];
        const FLIP: &[KeyboardShortcut] = &[ctrl(Key::I)];
        const KEEP: &[KeyboardShortcut] = &[ctrl(Key::B)];
        const DROP: &[KeyboardShortcut] = &[ctrl_shift(Key::B)];
        const SEARCH: &[KeyboardShortcut] = &[ctrl(Key::F)];
        const PALETTE: &[KeyboardShortcut] = &[ctrl(Key::K), ctrl(Key::P)];
        const NEXT_LAYER: &[KeyboardShortcut] = &[key(Key::CloseBracket)];
        const PREVIOUS_LAYER: &[KeyboardShortcut] = &[key(Key::OpenBracket)];
        const NEXT_HEAD: &[KeyboardShortcut] = &[key(Key::Period)];
        const PREVIOUS_HEAD: &[KeyboardShortcut] = &[key(Key::Comma)];
        const NEXT_TOKEN: &[KeyboardShortcut] = &[key(Key::ArrowRight)];
        const PREVIOUS_TOKEN: &[KeyboardShortcut] = &[key(Key::ArrowLeft)];
        const UNDO: &[KeyboardShortcut] = &[ctrl(Key::Z)];
        const REDO: &[KeyboardShortcut] = &[ctrl_shift(Key::Z), ctrl(Key::Y)];
        const ZOOM_IN: &[KeyboardShortcut] = &[ctrl(Key::Plus)];
        const ZOOM_OUT: &[KeyboardShortcut] = &[ctrl(Key::Minus)];
        const ZOOM_RESET: &[KeyboardShortcut] = &[ctrl(Key::Num0)];
        const QUIT: &[KeyboardShortcut] = &[ctrl(Key::Q)];
        match self {
            Self::OpenModel => OPEN_MODEL,
            Self::OpenDataset => OPEN_DATASET,
            Self::OpenSession => OPEN_SESSION,
            Self::SaveSession => SAVE,
            Self::SaveSessionAs => SAVE_AS,
            Self::SaveScreenshot => SCREENSHOT,
            Self::Trace => TRACE,
            Self::RunSpec => RUN_SPEC,
            Self::Cancel => CANCEL,
            Self::NextFact => NEXT,
            Self::PreviousFact => PREVIOUS,
            Self::StepLayer(Step::Next) => NEXT_LAYER,
            Self::StepLayer(Step::Previous) => PREVIOUS_LAYER,
            Self::StepHead(Step::Next) => NEXT_HEAD,
            Self::StepHead(Step::Previous) => PREVIOUS_HEAD,
            Self::StepToken(Step::Next) => NEXT_TOKEN,
            Self::StepToken(Step::Previous) => PREVIOUS_TOKEN,
            Self::Flip => FLIP,
            Self::KeepBeside => KEEP,
            Self::DropBeside => DROP,
            Self::FocusSearch => SEARCH,
            Self::ShowPalette => PALETTE,
            Self::Undo => UNDO,
            Self::Redo => REDO,
            Self::ZoomIn => ZOOM_IN,
            Self::ZoomOut => ZOOM_OUT,
            Self::ZoomReset => ZOOM_RESET,
            Self::Quit => QUIT,
            _ => &[],
        }
    }

    /// egui listens to the keys of these itself.
    pub fn is_zoom(&self) -> bool {
        matches!(self, Self::ZoomIn | Self::ZoomOut | Self::ZoomReset)
    }
}

/// A path's last part, and where it is.
fn place(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => format!("{name}   ({})", parent.display()),
        None => name.into_owned(),
    }
}

fn about_component(component: Component) -> &'static str {
    match component {
        Component::Hidden => "The residual stream after one layer. ROME's kind=None",
        Component::Mlp => "What the MLPs of a window of layers add. ROME's kind=\"mlp\"",
        Component::Attn => "What attention adds in a window of layers. ROME's kind=\"attn\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_keys() {
        let mut seen = Vec::new();
        for command in Command::WITH_KEYS {
            assert!(!command.shortcuts().is_empty(), "{command:?}");
            for keys in command.shortcuts() {
                assert!(!seen.contains(keys), "{command:?}: {keys:?}");
                seen.push(*keys);
            }
        }
    }
}
