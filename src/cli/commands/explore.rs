//! `factscope explore`: the window.

use std::path::PathBuf;

use clap::Args;

use crate::analysis::causal_trace::Component;
use crate::builtin;
use crate::cli::flags::model::BosArgs;
use crate::cli::flags::{choice, choices};
use crate::cli::machine::Machine;
use crate::cli::output::figure_scale;
use crate::facts::Dataset;
use crate::figure::Scale;
use crate::population::Manifest;
use crate::ui;
use crate::ui::pane::Pane;

#[derive(Args, Default)]
pub struct Explore {
    /// A model folder in Hugging Face's layout, a GGUF or other weight file, or the name of a model on its
    /// hub, which is downloaded if the cache lacks it [default: the built-in model]
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// A second model, asked the same in the row below
    #[arg(long, value_name = "DIR")]
    model_beside: Option<PathBuf>,

    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet [default: the facts of the built-in model]
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,

    /// A session file: what was found is shown again
    #[arg(long, value_name = "FILE.factscope", conflicts_with_all = ["model", "model_beside", "facts", "case", "trace"])]
    session: Option<PathBuf>,

    /// The folder of a sweep: what its facts have in common [default of --model and --facts: its own]
    #[arg(long, value_name = "DIR", conflicts_with = "session")]
    sweep: Option<PathBuf>,

    #[command(flatten)]
    bos: BosArgs,

    /// The fact to choose, by its `case_id` or `known_id` [default: the first]
    #[arg(long, value_name = "ID")]
    case: Option<String>,

    /// Another fact to show in the place of its inverse
    #[arg(long, value_name = "ID")]
    beside: Option<String>,

    /// Trace the fact at once
    #[arg(long, value_name = "KIND", value_parser = choice::<Component>())]
    trace: Option<Component>,

    /// The view to bring to the front; one that has to be asked for is run at once
    #[arg(long, value_name = "VIEW", value_parser = choices(Pane::ALL.map(|it| (it.key(), it))))]
    view: Option<Pane>,

    /// Save the window as a picture when all that was asked for is shown, and close it
    #[arg(long, value_name = "FILE.png")]
    screenshot: Option<PathBuf>,

    /// How large the picture is, in times the window: 1 to 4
    #[arg(long, value_name = "N", requires = "screenshot", value_parser = figure_scale)]
    scale: Option<Scale>,

    /// [default: as it was last]
    #[arg(long, value_parser = choices(THEMES))]
    theme: Option<ui::Theme>,

    /// Size of the window in points, as 1280x720
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<[f32; 2]>,
}

const THEMES: [(&str, ui::Theme); 3] =
    [("light", ui::Theme::Light), ("dark", ui::Theme::Dark), ("system", ui::Theme::System)];

impl Explore {
    /// A session file, or the folder of a sweep.
    pub fn of_path(path: PathBuf) -> Self {
        if path.is_dir() {
            Self { sweep: Some(path), ..Self::default() }
        } else {
            Self { session: Some(path), ..Self::default() }
        }
    }

    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        // Whoever just looks sees what the program is for: the first fact and its inverse, traced.
        let is_session = self.session.is_some();
        let is_bare = !is_session
            && self.model.is_none()
            && self.model_beside.is_none()
            && self.facts.is_none()
            && self.sweep.is_none()
            && self.case.is_none();
        let of_sweep = self.sweep.as_deref().map(Manifest::of_any).transpose()?;
        let own_model =
            of_sweep.as_ref().and_then(|it| Some(it.spec.get("model")?.as_str()?.into()));
        let model =
            |named: &Option<PathBuf>| named.as_ref().map(|it| machine.model(it)).transpose();
        let options = ui::Options {
            // The first launch needs no settings.
            model: model(&self.model.clone().or(own_model))?
                .or_else(|| (!is_session).then(|| builtin::FACTS.name.into())),
            model_beside: model(&self.model_beside)?,
            facts: self
                .facts
                .clone()
                .or_else(|| Some(of_sweep?.facts))
                .or_else(|| (!is_session).then(|| Dataset::BUNDLED.into())),
            session: self.session.clone(),
            sweep: self.sweep.clone(),
            sweeps: ui::sweeps_dir(),
            unsaved: ui::unsaved_dir(),
            device: machine.device,
            #[cfg(feature = "hub")]
            hub: None,
            bos: self.bos.choice(),
            case: self.case.clone(),
            beside: self.beside.clone(),
            // In the window it is traced at once; a picture waits for it.
            trace: self
                .trace
                .or_else(|| (is_bare && self.screenshot.is_some()).then_some(Component::Hidden)),
            pane: self.view,
            screenshot: self.screenshot.clone(),
            scale: self.scale.map(Scale::times),
            theme: self.theme,
            size: self.size,
        };
        Ok(ui::run(options)?)
    }
}

/// `1280x720`
fn size(text: &str) -> Result<[f32; 2], String> {
    let sides = text.split_once('x').and_then(|(width, height)| {
        Some([width.parse::<u16>().ok()?, height.parse::<u16>().ok()?])
    });
    let sides = sides.filter(|sides| sides.iter().all(|side| *side >= 100));
    let [width, height] = sides.ok_or("a width and a height of at least 100, as 1280x720")?;
    Ok([f32::from(width), f32::from(height)])
}
