//! `factscope verify`: numbers computed anew, those of exported pictures, those that are kept in the
//! program, or those that others have published.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::published;
use crate::cli::inquiry::Inquiry;
use crate::cli::json::weights_sha256;
use crate::cli::machine::Machine;
use crate::cli::progress::Bar;
use crate::experiment::{Experiment, Written};
use crate::figure::number::exact;
use crate::figure::words::counted;
use crate::figure::{Compared, Figure, Record, carried, program};
use crate::packed;
use crate::report::{self, Taken};
use crate::task::Progress;
use crate::whole_file;

/// How many numbers that differ are told of each chart.
const N_TOLD: usize = 10;

/// The methods that look at one run of one prompt, so that all of them need the same few kernels: what a software
/// adapter computes unless it is told.
const OF_ONE_PASS: [&str; 4] = ["predict", "lens", "attribute", "norms"];

#[derive(Args)]
pub struct Verify {
    /// Pictures that this program has exported: SVG, PDF or PNG; or reports, whose figures are files too. Without any, the numbers of the built-in
    /// model that are kept in the program are computed, by every method on this device; with a model, those
    /// that are published of it
    #[arg(value_name = "FIGURE")]
    figures: Vec<PathBuf>,

    /// A model of which numbers are published, such as `gpt2`; or the model to ask in place of the one that
    /// a picture names, such as a folder that has moved
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// Published numbers in place of those in the program, in a file like `data/published.json`
    #[arg(long, value_name = "FILE", requires = "model", conflicts_with = "figures")]
    published: Option<PathBuf>,

    /// Of the numbers that are kept in the program, compute only those of commands with these names
    #[arg(long, value_name = "METHOD,…", value_delimiter = ',', conflicts_with_all = ["figures", "model"])]
    only: Vec<String>,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// A record that is kept in the program.
#[derive(Deserialize)]
struct Kept {
    /// The command without its `factscope`.
    command: String,
    record: Record,
}

impl Kept {
    /// The first word of the command.
    fn method(&self) -> &str {
        self.command.split(' ').next().unwrap_or_default()
    }
}

/// What was found of a record.
#[derive(Serialize)]
struct Verified {
    /// The picture's file, or the command of numbers that are kept in the program.
    of: String,

    /// The program and the device that made the record, and those that computed its numbers anew.
    made_by: [String; 2],
    computed_by: [String; 2],

    /// The weight files whose SHA-256 is another, or which are on one side only.
    other_weights: Vec<String>,

    /// Whether the file of a picture, but for what it carries, is as it was written.
    is_drawing_as_written: Option<bool>,
    charts: Vec<Compared>,

    /// The charts of the result that are not among those of the record.
    charts_left_out: Vec<String>,

    /// Whether the hash that the picture carries says that it was exported without them.
    is_left_out_as_written: bool,

    /// Whether the page that the picture was taken off is as it was written.
    is_page_as_written: Option<bool>,
}

/// A picture, by itself or on a page.
struct Picture {
    /// The file, and on a page what the picture is called there.
    of: String,
    file: Vec<u8>,
    is_page_as_written: Option<bool>,
}

/// A picture, or numbers that are kept, and whether they were computed.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Verified(Box<Verified>),
    Unusable { of: String, error: String },
}

impl Outcome {
    fn agrees(&self) -> bool {
        matches!(self, Self::Verified(it) if it.agrees())
    }
}

impl Verify {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        if let (Some(model), true) = (&self.model, self.figures.is_empty()) {
            let say = |text: &str| self.say(machine, || text.to_owned());
            let found = published::check(model, self.published.as_deref(), machine, say)?;
            if self.json {
                machine.print_json(&serde_json::to_string(&found)?)?;
            }
            return found.confirm();
        }
        let verified =
            if self.figures.is_empty() { self.kept(machine)? } else { self.pictures(machine)? };
        if self.json {
            machine.print_json(&serde_json::to_string(&verified)?)?;
        }
        if let [Outcome::Unusable { error, .. }] = &*verified {
            bail!("{error}");
        }
        let n_wrong = verified.iter().filter(|it| !it.agrees()).count();
        let n = verified.len();
        ensure!(n_wrong == 0, "{n_wrong} of {n} cannot be confirmed");
        Ok(())
    }

    /// A file that cannot be used does not keep the others from being verified.
    fn pictures(&self, machine: &Machine) -> anyhow::Result<Vec<Outcome>> {
        let mut all = Vec::new();
        let unusable = |of: String, error: &anyhow::Error| {
            let error = format!("{error:#}");
            if self.figures.len() > 1 {
                self.say(machine, || format!("CANNOT BE VERIFIED: {error}\n"))?;
            }
            anyhow::Ok(Outcome::Unusable { of, error })
        };
        for path in &self.figures {
            let pictures = match self.read(path, machine) {
                Ok(pictures) => pictures,
                Err(error) => {
                    all.push(unusable(path.display().to_string(), &error)?);
                    continue;
                }
            };
            for picture in pictures {
                match self.picture(&picture, machine) {
                    Ok(results) => {
                        for verified in results {
                            self.say(machine, || verified.to_text())?;
                            all.push(Outcome::Verified(Box::new(verified)));
                        }
                    }
                    Err(error) => all.push(unusable(picture.of, &error)?),
                }
            }
        }
        Ok(all)
    }

    /// The pictures of a file: one, or those that can be taken off a page.
    fn read(&self, path: &Path, machine: &Machine) -> anyhow::Result<Vec<Picture>> {
        let of = path.display().to_string();
        let file = whole_file::read(path).with_context(|| format!("cannot read {of}"))?;
        let Some(Taken { pictures, n_results, is_as_written }) = report::taken(&file) else {
            return Ok(vec![Picture { of, file, is_page_as_written: None }]);
        };
        ensure!(
            !pictures.is_empty(),
            "no figure of this page can be computed anew: it is no report of this program, or its results \
             are too large or not whole; `factscope session` has their commands: {of}"
        );
        let n_others = n_results.saturating_sub(pictures.len());
        if n_others > 0 {
            let n = counted(n_results, "result");
            self.say(machine, || {
                format!(
                    "{of}\n  NOT CHECKED: {n_others} of {n}, which the page has not as a file; the commands \
                     on it compute them\n"
                )
            })?;
        }
        let picture = |(name, file)| {
            let of = format!("{of}, {name}");
            Picture { of, file, is_page_as_written: Some(is_as_written) }
        };
        Ok(pictures.into_iter().map(picture).collect())
    }

    /// The numbers that are kept in the program.
    fn kept(&self, machine: &Machine) -> anyhow::Result<Vec<Outcome>> {
        let mut kept: Vec<Kept> = serde_json::from_str(&packed::KEPT_NUMBERS)?;
        let methods: BTreeSet<String> = kept.iter().map(|it| it.method().to_owned()).collect();
        if let Some(other) = self.only.iter().find(|it| !methods.contains(*it)) {
            let methods = methods.into_iter().collect::<Vec<_>>().join(", ");
            bail!("no numbers of `{other}` are kept; they are of {methods}");
        }
        let is_software = machine.device.is_software();
        let is_wanted = |it: &Kept| match &*self.only {
            [] => !is_software || OF_ONE_PASS.contains(&it.method()),
            only => only.iter().any(|only| only == it.method()),
        };
        let left_out: BTreeSet<String> = kept
            .extract_if(.., |it| !is_wanted(it))
            .map(|it| it.method().to_owned())
            .filter(|_| self.only.is_empty())
            .collect();
        let bar = Bar::new(machine, "Verifying");
        let quiet = machine.quietly();
        let n = kept.len() as u64;
        let mut all = Vec::new();
        for Kept { command, record } in kept {
            bar.set(Progress { done: all.len() as u64, total: n });
            bar.note(command.clone());
            let verified = verified(command, &record, None, &quiet)?;
            bar.aside(|| self.say(machine, || verified.to_line()))?;
            all.push(Outcome::Verified(Box::new(verified)));
        }
        bar.finish();
        if !left_out.is_empty() {
            let left_out = left_out.into_iter().collect::<Vec<_>>().join(",");
            self.say(machine, || {
                format!(
                    "not checked: {left_out}, because a software adapter tries out kernels for each new shape of a \
                     matrix, which takes it minutes; to check them all the same: --only {left_out}\n"
                )
            })?;
        }
        let text = published::without_a_model()?;
        self.say(machine, || text)?;
        Ok(all)
    }

    /// Tells a person at once what was found; scripts read all of it at the end.
    fn say(&self, machine: &Machine, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { machine.print_text(&text()) }
    }

    /// Each of the results that a picture shows: mostly one.
    fn picture(&self, picture: &Picture, machine: &Machine) -> anyhow::Result<Vec<Verified>> {
        let Picture { of, file, is_page_as_written } = picture;
        let (record, drawing) = carried(file).with_context(|| of.clone())?;
        let is_drawing_as_written = Some(record.is_of(&drawing));
        let is_left_out_as_written = record.is_held_by(&drawing);
        let each = [&record].into_iter().chain(&record.others).map(|it| {
            let row = if it.row.is_empty() { String::new() } else { format!(", {}", it.row) };
            let verified = verified(of.clone() + &row, it, self.model.as_deref(), machine)
                .with_context(|| format!("what {of} was made of cannot be asked again"))?;
            let is_page_as_written = *is_page_as_written;
            Ok(Verified {
                is_drawing_as_written,
                is_left_out_as_written,
                is_page_as_written,
                ..verified
            })
        });
        each.collect()
    }
}

/// Computes the numbers of a record anew. `of`: what the record is of. `model`: the one to ask in place of
/// the one that the record names.
fn verified(
    of: String,
    record: &Record,
    model: Option<&Path>,
    machine: &Machine,
) -> anyhow::Result<Verified> {
    let path = Path::new(&of);
    let written = Written::parse(&record.experiment.to_string(), path)?;
    let Experiment { model: named, bos, fact, edits, .. } = written.outline.clone();
    let model = machine.model(model.unwrap_or(&named))?;
    let inquiry = Inquiry::open(&model, Some(bos), fact, edits, machine)?;
    let spec = written.resolve(&inquiry.library(), path)?.spec;
    let info = &inquiry.engine.info;
    let hashes = weights_sha256(info, machine)?;
    let figure = Figure::of(&inquiry.result(&spec)?, &record.look.look(&info.tokenizer));
    Ok(Verified {
        of,
        made_by: [record.program.clone(), record.device.clone()],
        computed_by: [program(), info.device.clone()],
        other_weights: other_files(&record.weights_sha256, &hashes),
        is_drawing_as_written: None,
        charts: record.compare(&figure),
        charts_left_out: record.charts_left_out(&figure),
        is_left_out_as_written: false,
        is_page_as_written: None,
    })
}

fn other_files(
    recorded: &BTreeMap<String, String>,
    here: &BTreeMap<String, String>,
) -> Vec<String> {
    let all: BTreeSet<&String> = recorded.keys().chain(here.keys()).collect();
    let is_other = |it: &&String| recorded.get(*it) != here.get(*it);
    all.into_iter().filter(is_other).cloned().collect()
}

impl Verified {
    fn agrees(&self) -> bool {
        self.other_weights.is_empty()
            && self.is_drawing_as_written != Some(false)
            && self.is_page_as_written != Some(false)
            && self.charts.iter().all(agrees)
            && !self.may_lack_charts()
    }

    /// Whether the record lacks charts of the result, and nothing says that the picture was exported so: of
    /// earlier pictures nobody can tell.
    fn may_lack_charts(&self) -> bool {
        let is_picture = self.is_drawing_as_written.is_some();
        is_picture && !self.charts_left_out.is_empty() && !self.is_left_out_as_written
    }

    /// A line of a list; lines below it for what differs.
    fn to_line(&self) -> String {
        let n_numbers: usize = self.charts.iter().map(|it| it.n_numbers).sum();
        let largest = self.charts.iter().map(|it| it.largest).fold(0.0, f32::max);
        let n = counted(n_numbers, "number");
        let mut line = if self.agrees() {
            format!("agrees   {}: {n}, largest difference {}\n", self.of, exact(largest))
        } else {
            format!("DIFFERS  {}\n", self.of)
        };
        for chart in self.charts.iter().filter(|it| !agrees(it)) {
            _ = writeln!(line, "  {}", about(chart));
            line.push_str(&differences(chart));
        }
        line
    }

    fn to_text(&self) -> String {
        let ([program, device], [our_program, our_device]) = (&self.made_by, &self.computed_by);
        let mut text = format!(
            "{}\n  made by {program} on {device}, computed anew by {our_program} on {our_device}\n",
            self.of
        );
        let weights = match &*self.other_weights {
            [] => "the weights are the same (SHA-256)".to_owned(),
            other => format!("THE MODEL IS ANOTHER: other weights in {}", other.join(", ")),
        };
        let drawing = match self.is_drawing_as_written {
            Some(false) => {
                "THE DRAWING WAS CHANGED after it was written, or what the file carries; below are the \
                 numbers that it carries"
            }
            _ => "the drawing is as it was written",
        };
        _ = write!(text, "  {weights}\n  {drawing}\n");
        match self.is_page_as_written {
            Some(true) => text.push_str("  the page is as it was written\n"),
            Some(false) => text.push_str(
                "  THE PAGE WAS CHANGED after it was written: what it shows may be other than the figure that \
                 it carries\n",
            ),
            None => {}
        }
        for chart in &self.charts {
            _ = writeln!(text, "  {}", about(chart));
            text.push_str(&differences(chart));
        }
        if self.may_lack_charts() {
            let names = self.charts_left_out.join(", ");
            _ = writeln!(
                text,
                "  THE PICTURE'S RECORD LACKS the numbers of {names}; the hash in it does not say that it was \
                 exported without: where the picture shows them, they were taken out; export it anew to be sure"
            );
        }
        text
    }
}

fn agrees(chart: &Compared) -> bool {
    chart.is_computed && chart.other_names.is_empty() && chart.differences.is_empty()
}

/// The numbers of a chart that differ, a line each.
fn differences(chart: &Compared) -> String {
    let mut text = String::new();
    for it in chart.differences.iter().take(N_TOLD) {
        let [recorded, computed] = [it.recorded, it.computed].map(told);
        _ = writeln!(text, "    {}: {recorded} was written, {computed} now", it.place);
    }
    if chart.differences.len() > N_TOLD {
        _ = writeln!(text, "    and {} more", chart.differences.len() - N_TOLD);
    }
    text
}

fn about(chart: &Compared) -> String {
    let n = counted(chart.n_numbers, "number");
    let largest = exact(chart.largest);
    let n_other = chart.differences.len() - chart.n_lacking;
    let mut said = Vec::new();
    if !chart.is_computed {
        said.push("THE RESULT HAS NO SUCH CHART".to_owned());
    }
    for [name, now] in &chart.other_names {
        said.push(format!("THE PICTURE CALLS `{name}` what is `{now}`"));
    }
    if n_other > 0 {
        said.push(format!("{n_other} of {n} DIFFER"));
    }
    if chart.n_lacking > 0 {
        let n = counted(chart.n_computed, "number");
        said.push(format!("THE PICTURE'S RECORD LACKS {} of {n}", chart.n_lacking));
    }
    if chart.is_computed && n_other == 0 && chart.n_lacking == 0 {
        said.push(format!("{n} as computed now, largest difference {largest}"));
    }
    format!("{}: {}", chart.chart, said.join(", "))
}

fn told(number: Option<f32>) -> String {
    number.map_or_else(|| "none".to_owned(), |it| it.to_string())
}
