//! Every action a user can ask for: its text and its tooltip; its keys are in `keys`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::ThemePreference;

use super::pane::{Pane, View};
use super::row::Row;
use super::state::{Convention, FactId, Filter, ManyOptions, Paint, Setting, SweepView, TypedFact};
use super::view::{Hovered, Selection, ViewAction};
use crate::analysis::attention::Weighting;
use crate::analysis::causal_trace::Component;
use crate::builtin;
use crate::facts::{Dataset, Direction};
use crate::figure::Figure;
use crate::hub::HubName;
use crate::population::Task;
use crate::tokens::Bos;
use crate::worker::{DeviceChoice, JobId, Which};

mod keys;

pub use keys::{KEYS, Keyed, keys_text};

/// Makes the commands of their list: a name, what it carries, its text and what its tooltip says more;
/// where that depends on what it carries, an expression of it.
macro_rules! commands {
    ($(
        $(#[$doc:meta])*
        $name:ident $(($($carried:ty),+))? $(: $text:literal $(, $about:expr)?)? $(=> |$it:ident| $said:expr)?;
    )*) => {
        /// What a user can ask for. Handled in one place, `App::handle`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command {
            $($(#[$doc])* $name $(($($carried),+))?,)*
        }

        impl Command {
            fn words(&self) -> Words {
                match self {
                    $(
                        $(Self::$name { .. } => says($text).about([$($about,)? ""][0]),)?
                        $(Self::$name($it) => $said,)?
                    )*
                }
            }
        }
    };
}

commands! {
    OpenModel: "Open model folder…",
        "A model in Hugging Face's layout: a folder with config.json, model.safetensors and the \
         tokenizer's files";
    OpenModelFile: "Open model file…",
        "A GGUF file, which holds a model with its tokenizer, or a weight file in a model's folder";
    /// The path of anything that can be opened.
    TypePath: "Type a path…",
        "Of a model, a dataset, noise, an experiment or a session: it is opened as what it is";
    OpenAt(PathBuf) => |path| says(place(path));
    /// Shows the dialog in which models are downloaded.
    GetModel: "Get a model…",
        "Models on Hugging Face's hub: what they take, and their download. Nothing is asked of it \
         before you search or download";
    SearchHub(String): "Search the hub";
    Download(HubName) => |name| says(format!("Download {name}"));
    OpenModelAt(PathBuf) => |path| says(model(path));
    OpenModelBeside: "Open model folder beside…", BESIDE;
    OpenModelFileBeside: "Open model file beside…", BESIDE;
    OpenModelBesideAt(PathBuf) => |path| says(model(path)).about(BESIDE);
    CloseModelBeside: "Close second model", "What was found in it is forgotten";
    /// Which way both models are asked.
    AskBoth(Direction) => |direction| match direction {
        Direction::Forward => says("Ask both the fact").about("Both models are asked the fact"),
        Direction::Inverse => says("Ask both the inverse").about(
            "Both models are asked the fact's inverse",
        ),
    };
    OpenDataset: "Open dataset…",
        "Facts as JSON (CounterFact, ROME's known_1000.json, LRE), JSON Lines, CSV or Parquet";
    OpenDatasetAt(PathBuf) => |path| says(dataset(path));
    OpenNoise: "Noise from a file…",
        "A float32 or float64 array of numpy's (.npy, or the only one of an .npz) of shape \
         (samples, subject tokens, d_model), added to the subject's embeddings as it is";
    UseNoise(PathBuf) => |path| says(place(path));
    OpenSession: "Open session…",
        "A .factscope file: its results are shown again, and nothing is computed for that";
    OpenSessionAt(PathBuf) => |path| says(place(path));
    SaveSession: "Save session", SESSION;
    SaveSessionAs: "Save session as…", SESSION;
    SaveSessionTo(PathBuf): "Save session", SESSION;
    SaveReport: "Save report…",
        "All that was found as one page for a browser: figures with their numbers, settings, sources and \
         hashes. Whoever reads it needs no Factscope";
    SaveReportTo(PathBuf): "Save report";
    /// Asks what a view asks of all facts that the list shows.
    Over(Pane): "Over facts…",
        "The same question asked of all facts that the list shows: means, intervals, differences";
    /// How a question is asked of many facts, as its form was edited.
    SetMany(Box<ManyOptions>): "Change how many facts are asked";
    ChooseSweepDir: "Choose…", "With the system's own dialog";
    SetSweepDir(PathBuf) => |path| says(place(path));
    StartSweep: "Start", "It runs beside everything else, can be stopped, and is gone on with at any time";
    LeaveAsking: "Cancel", "Nothing is asked";
    OpenSweep: "Open sweep…",
        "A folder that “Over facts…” or `factscope sweep` has written: what its facts have in common";
    OpenSweepAt(PathBuf) => |path| says(place(path));
    GoOnWithSweep: "Go on", "Asks the facts that the folder lacks";
    LookAtSweep(Box<SweepView>): "Look at a sweep otherwise";
    /// Lists the facts behind a place of a chart, by its name.
    ShowBehind(Arc<str>, usize): "Facts behind a number";
    /// Finds what was asked of one fact of the sweep, and carries it out.
    AskFactOfSweep(Task): "Show this fact by itself",
        "Chooses the fact, and shows what the sweep asked of it in the view of its method";
    BackToSweep: "Back to the sweep", "To the list of facts behind its number, as it was left";
    /// The view asks as its own settings say.
    LeaveSwept: "Own settings", "Asks as the settings of this view say, and not as the sweep does";
    RestoreUnsaved: "Restore", "Shows the facts and results that were in that window";
    DiscardUnsaved: "Discard…", "What was in that window is lost, once you have confirmed it";
    /// What the bar asks before it is lost.
    DiscardForGood: "Discard for good", "Removes the file that holds it";
    KeepUnsaved: "Keep it", "Nothing is removed";
    SaveScreenshot: "Save screenshot…", "The window as it is now, as a PNG";
    /// The path that the system's dialog is asked for.
    TypeInstead: "Type the path…", "Without the system's dialog";
    SaveScreenshotTo(PathBuf): "Save screenshot";
    SetScreenshotScale(u8) => |times| says(format!("Screenshots at {times}×")).about(
        "How large screenshots are, in times the window: above 1 text and maps are drawn anew, \
         larger",
    );
    Export(Arc<Figure>): "Export…", EXPORT;
    /// Exports the figure that a view shows of the fact that is looked at.
    ExportOf(Pane): "Export…", EXPORT;
    ChooseFigurePath: "Choose a file for the figure…";
    /// Copies what the open dialog would write.
    CopyExport: "Copy what is exported";
    CopyTableOf(Pane): "Copy table", "The numbers as CSV, to be pasted into a spreadsheet";
    CopyImage(Arc<Figure>): "Copy image", "As a picture of pixels, as large as the setting says";
    CopyImageOf(Pane): "Copy image", "As a picture of pixels, as large as the setting says";
    CopyCommandLineOf(Pane): "Copy command line",
        "The command that asks the same, on one line for a terminal";
    SetFigureScale(u8) => |times| says(format!("Pictures at {times}×")).about(
        "How large PNGs and copied images are, in times their size on a screen",
    );
    SaveSpec(Pane): "Save what was asked…",
        "Model, fact, settings and seed as a file: `factscope run FILE` finds the same again";
    SaveSpecTo(PathBuf): "Save what was asked";
    /// Shows an experiment as text, to be changed and run.
    OpenSpec: "Open experiment…", "A file that --save-spec or “Save what was asked” has written";
    OpenSpecAt(PathBuf): "Open experiment…",
        "A file that --save-spec or “Save what was asked” has written";
    FillSpec(Pane): "Edit what was asked as text",
        "Fills the Spec view, where it can be changed and run";
    /// Writes an open model, with its edits, into the experiment that is typed.
    AskOpenModel(Which): "Ask the open model instead",
        "Writes the open model, with its changes, into the text";
    TakeEditsOfSpec: "Change the open model so",
        "All views show the model as the experiment has it, until you go back";
    SetSpecText(String): "Type an experiment";
    /// Picks something out in the experiment's figure, which may be of another prompt than the other
    /// views.
    SelectInSpec(Selection): "Select";
    RunSpec: "Run experiment",
        "Carries out the experiment of the Spec view on the open model that it names";
    SaveFigureTo(PathBuf): "Save figure";
    CopyTable(Arc<Figure>): "Copy table", "The numbers as CSV, to be pasted into a spreadsheet";
    /// Asks first if something would be lost.
    Quit: "Quit";
    /// About the questions that would take much memory.
    AnswerMemory(MemoryAnswer) => |answer| match answer {
        MemoryAnswer::Cancel => says("Cancel").about("It is not asked"),
        MemoryAnswer::GoOn => says("Go on").about("It is asked all the same, and can be stopped"),
    };
    AnswerClosing(ClosingAnswer) => |answer| match answer {
        ClosingAnswer::Save => says("Save").about(
            "Writes a session file first: the one that is open, or one that you name",
        ),
        ClosingAnswer::Discard => says("Discard").about(
            "What is not in a session file is lost, and jobs are stopped",
        ),
        ClosingAnswer::Cancel => says("Cancel").about("Everything stays as it is"),
    };
    SetTheme(ThemePreference) => |theme| match theme {
        ThemePreference::System => says("System theme"),
        ThemePreference::Light => says("Light theme"),
        ThemePreference::Dark => says("Dark theme"),
    };
    ZoomIn: "Zoom in";
    ZoomOut: "Zoom out";
    ZoomReset: "Reset zoom";
    /// Opens the view of a mode in that mode, in front.
    ShowPane(Pane) => |pane| says(pane.text()).about(pane.tooltip());
    CloseView(View) => |view| says(view.text()).about(view.tooltip());
    ResetLayout: "Usual arrangement", "All views where they were at the first start";
    SpreadViews: "All views side by side", "Every view open and seen at once, for a large screen";
    SetBos(Bos) => |bos| match bos {
        Bos::Off => says("ROME (no BOS)").about(
            "The prompt as it is, as ROME's code runs it: its first token is at position 0",
        ),
        Bos::On => says("TransformerLens (BOS)").about(
            "The token that begins a text is put before the prompt, as TransformerLens does by default",
        ),
    };
    SetDevice(DeviceChoice) => |device| match device {
        DeviceChoice::Auto => says("Automatic").about("A GPU if there is one, else the CPU"),
        DeviceChoice::Cpu => says("CPU").about(ANEW),
        device @ DeviceChoice::Wgpu(_) => says(device.to_string()).about(ANEW),
    };
    Select(FactId): "Choose fact";
    LookAt(Row) => |row| match row {
        Row::First => says("Fact").about("The fact as the dataset asks it"),
        Row::Second => says("Inverse").about(
            "The same fact asked from its answer: who or what is it true of?",
        ),
    };
    /// From the fact to its inverse, and back.
    Flip: "Fact or inverse";
    /// The fact that is looked at stands in the inverse's place, whichever is chosen next.
    KeepBeside: "Keep beside",
        "Keeps this fact in the inverse's place, whichever fact is chosen next. Ctrl+click on a \
         fact of the list puts that one there";
    /// This fact stands in the inverse's place.
    ShowBeside(FactId): "Show beside the chosen fact",
        "In the inverse's place: traces, difference, comparison and patching then are of these two \
         facts";
    DropBeside: "Back to the inverse", "The chosen fact is shown beside its own inverse again";
    /// The right answer that a fact is asked for, as its place among all.
    AskFor((FactId, Direction, usize)): "Ask for this answer",
        "Everything about this prompt then is of this answer; what was found of the other one is kept";
    NextFact: "Next fact";
    PreviousFact: "Previous fact";
    /// Picks out the layer, head or token beside the one that is picked out.
    StepLayer(Step) => |step| match step {
        Step::Next => says("Next layer"),
        Step::Previous => says("Previous layer"),
    };
    StepHead(Step) => |step| match step {
        Step::Next => says("Next head"),
        Step::Previous => says("Previous head"),
    };
    StepToken(Step) => |step| match step {
        Step::Next => says("Next token"),
        Step::Previous => says("Previous token"),
    };
    FocusSearch: "Search facts", "Looks in prompts, subjects, answers and relation ids";
    SearchFacts(String): "Search facts", "Looks in prompts, subjects, answers and relation ids";
    FilterFacts(Box<Filter>): "Filter and sort";
    AddFact(Box<TypedFact>): "Analyse";
    /// Puts a typed fact in the place of another.
    ReplaceFact((FactId, Box<TypedFact>)): "Change",
        "The fact in its place. What was found of the old text stays with it, and comes back with Undo";
    /// Fills the form with the chosen fact.
    EditFact: "Edit fact…",
        "In the form above the list: a typed fact is changed or given an inverse; one of the dataset is \
         taken as the start of a new one";
    RemoveFact: "Remove fact",
        "Takes the chosen fact off the list, if it was typed. What was found is kept, and Undo brings \
         both back";
    Trace: "Trace",
        "Corrupts the subject, restores one state at a time, and maps how much of the answer's \
         probability comes back";
    /// Whether the trace view shows the fact's map minus the inverse's, too.
    ShowDifference(bool): "Difference",
        "The upper map minus the lower one, tokens paired by their role";
    /// Whether the trace view shows the trace before the model was changed, too.
    ShowBefore(bool): "Before the change",
        "The same trace in the model as it was before its last change, beside the one after, on one \
         scale";
    /// Traces hidden states, MLPs and attention.
    TraceKinds: "All kinds",
        "Traces hidden states, MLPs and attention, to be seen at once: small, and the one that is \
         chosen large";
    /// Which of the three kinds is shown large.
    ShowKind(Component) => |component| match component {
        Component::Hidden => says("Hidden state").about(
            "The residual stream after one layer. ROME's kind=None",
        ),
        Component::Mlp => says("MLP").about(
            "What the MLPs of a window of layers add. ROME's kind=\"mlp\"",
        ),
        Component::Attn => says("Attention").about(
            "What attention adds in a window of layers. ROME's kind=\"attn\"",
        ),
    };
    /// One setting, as a panel has edited it.
    Set(Box<Setting>): "Change a setting";
    /// Whether the rarer settings of a trace are shown.
    ShowMoreOfTrace(bool): "Settings";
    /// Whether both maps of the trace view have the same colours for the same values.
    SetSameScale(bool): "Same scale", "The same colour stands for the same value in both maps";
    /// What the attention view shows of a query and a key.
    WeighAttention(Weighting) => |weighting| match weighting {
        Weighting::Pattern => says("Weights").about(
            "softmax(q k / √d): where a head looks, from 0 to 1",
        ),
        Weighting::ValueWeighted => says("× value").about(
            "The weight times ‖v‖ of the key: a head that looks at a token of small value takes \
             little from there",
        ),
        Weighting::NormBased => says("Norm").about(
            "‖weight · v W_O‖, the length of what is moved (Kobayashi et al. 2020)",
        ),
        Weighting::Rollout => says("Rollout").about(
            "The product of (A + I) / 2 over this layer and all below (Abnar & Zuidema 2020)",
        ),
    };
    /// Runs the method of a view.
    Study(Pane) => |pane| says(pane.verb()).about(match pane {
        Pane::Ablation => {
            "Replaces one part of the model at a time, for the fact and its inverse, and measures \
             the answer again"
        }
        Pane::Knockout => {
            "Sets the scores between these tokens to −∞ in a window of layers, for the fact and \
             its inverse, and measures the answer again (Geva et al. 2023)"
        }
        _ => pane.tooltip(),
    });
    /// Stops what a view has asked for.
    Stop(Pane): "Stop";
    /// Makes the edit that a view tries out to the open model, for all views.
    ApplyEdit(Pane): "Use the changed model",
        "All views show the model as this leaves it, until you go back: trace the edited fact, or \
         look at others";
    /// As `ApplyEdit`, of an edit that did not do what it was made for.
    ApplyAnyway(Pane): "Use it all the same",
        "All views then show the model with what was changed";
    LeaveEdit: "Leave the model as it is";
    DropEdits: "Back to the model as it is",
        "Takes all edits back. What was found in the edited model is kept with it";
    /// Whether the dataset's facts are asked in the background.
    SetMeasuresRecall(bool): "Measure recall in the background",
        "While nothing else is to be done, asks the model the facts that are seen, both ways, for the \
         list to show which it knows; and all of the dataset, if that takes less than a minute";
    /// Whether the dataset's facts are all asked, and not only those that are seen.
    AskAllFacts(bool) => |is_on| if *is_on {
        says("Ask all").about(
            "Asks the model every fact of the dataset, both ways, while nothing else is asked",
        )
    } else {
        says("Stop").about("Only facts that are seen in the list are asked")
    };
    /// Whether what is quick is traced without being asked for.
    SetTracesAtOnce(bool) => |is_on| says(at_once(*is_on)).about(
        "A trace of less than about a second is made of every fact that is chosen and with every \
         setting",
    );
    /// Stops what is running; if nothing is, clears the selection.
    Cancel: "Cancel, or clear the selection";
    CancelLoading: "Cancel";
    /// Each map has its own colours again.
    ReleaseRanges: "Each map its own colour range",
        "Lets go of all colour ranges that are held across maps";
    View(ViewAction): "Select";
    /// Paints attention edges of the prompt that is looked at, to be cut.
    Paint(Paint) => |paint| match paint {
        Paint::Clear => says("Clear painted edges").about(
            "Nothing of this prompt's attention is cut any more",
        ),
        _ => says("Paint an edge"),
    };
    /// The pointer is on something that other views may show.
    Hover(Hovered): "Select";
    /// Sets all settings that numbers depend on as another program has them.
    Match(Convention) => |convention| match convention {
        Convention::Rome => says("Matches ROME").about(
            "No BOS, 3 × σ of noise, numpy's seed 1, 10 samples, windows of 10 layers clipped at \
             the ends, probability of the first token (Meng et al. 2022). Can be undone",
        ),
        Convention::TransformerLens => says("Matches TransformerLens 4").about(
            "BOS before the prompt, one layer at a time, logit difference to the foil, as in \
             TransformerLens 2 too. It brings no noise of its own: ROME's stays. Can be undone",
        ),
    };
    /// Moves a job among those that wait.
    RaiseJob(JobId): "Raise", "One place towards the front";
    LowerJob(JobId): "Lower", "One place towards the end";
    CancelJob(JobId): "Cancel job", "What it has found so far stays";
    CancelAllJobs: "Cancel all jobs", "Stops what is running, and empties the queue";
    /// Shows what an ended job found.
    ShowEnded(JobId): "Show",
        "Its result, with the fact and the settings it was asked with. Can be undone";
    AskAgain(JobId): "Again", "The same again, with the settings it was asked with";
    ForgetEnded: "Clear the list of done jobs", "Results stay";
    ForgetResults: "Forget all results",
        "Everything that was found, of all facts; edits, settings and recall stay";
    /// The limit in MB.
    SetResultsLimit(u32): "Limit of results";
    DismissError: "Dismiss";
    DismissHint: "Got it";
    ShowPalette: "Find a command…", "Everything that can be done, by name";
    Undo: "Undo", "Takes back what was last chosen or set; results are kept";
    Redo: "Redo", "Does again what was taken back";
    ShowShortcuts: "Keyboard shortcuts";
    ShowLicences: "Licences", "Those of all packages that the program is made of";
    ShowAbout: "About Factscope";
}

const ANEW: &str = "Opens the model again on this device";
const BESIDE: &str =
    "A second model: both are asked the same, one above the other, with the same settings";
const EXPORT: &str = "One chart or all, as wide as a column of a journal or free, as SVG, PDF or PNG, or \
                      its numbers as CSV, JSON, npz or Parquet";
const SESSION: &str =
    "Model, facts, settings, arrangement, edits and all results in one .factscope file";

/// What can be answered when the window asks whether to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingAnswer {
    Save,
    Discard,
    Cancel,
}

/// What can be answered when the window asks about a question that takes much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryAnswer {
    Cancel,
    GoOn,
}

/// One step on or one step back. The last is not followed by the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Next,
    Previous,
}

/// How a command stands in menus and on buttons.
struct Words {
    text: Cow<'static, str>,

    /// More than the text says; empty if there is no more.
    tooltip: &'static str,
}

fn says(text: impl Into<Cow<'static, str>>) -> Words {
    Words { text: text.into(), tooltip: "" }
}

impl Words {
    fn about(self, tooltip: &'static str) -> Self {
        Self { tooltip, ..self }
    }
}

impl Command {
    /// The commands that copy or save what a view shows.
    pub fn taking_away(pane: Pane) -> [Self; 7] {
        [
            Self::Over(pane),
            Self::ExportOf(pane),
            Self::CopyImageOf(pane),
            Self::CopyTableOf(pane),
            Self::SaveSpec(pane),
            Self::FillSpec(pane),
            Self::CopyCommandLineOf(pane),
        ]
    }

    /// As it stands in menus and on buttons.
    pub fn text(&self) -> String {
        self.words().text.into_owned()
    }

    /// More than the text says; empty if there is no more.
    pub fn tooltip(&self) -> &'static str {
        self.words().tooltip
    }
}

fn at_once(is_on: bool) -> &'static str {
    if is_on { "Trace at once what is quick" } else { "Trace only when asked" }
}

fn dataset(path: &Path) -> String {
    if path == Path::new(Dataset::BUNDLED) { "Built-in facts".to_owned() } else { place(path) }
}

/// A model by its title, or by its folder.
fn model(dir: &Path) -> String {
    builtin::find(dir).map_or_else(|| place(dir), |it| it.title.to_owned())
}

/// A path's last part, and where it is.
fn place(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => format!("{name}   ({})", parent.display()),
        None => name.into_owned(),
    }
}
