//! Numbers that others have published of models that are no part of the program, computed anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analysis::AnalysisSpec;
use crate::cli::inquiry::Inquiry;
use crate::cli::machine::Machine;
use crate::experiment::FactSource;
use crate::figure::words::counted;
use crate::model::ModelConfig;
use crate::packed;
use crate::tokens::Bos;
use crate::worker::Engine;

/// How many numbers that differ are told of each check.
const N_TOLD: usize = 10;

/// What is published of a model.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    model: String,

    /// The name that the hub and `--model` know it by.
    name: String,
    shape: Shape,
    checks: Vec<Check>,

    /// Numbers that are not computed here.
    not_checked: Vec<NotChecked>,
}

/// What tells a model from others.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    n_layers: usize,
    n_heads: usize,
    d_model: usize,
    d_vocab: usize,
}

/// Numbers of one publication that answer the same question about several facts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    what: String,

    /// Who says so, and under which licence the numbers are.
    source: String,
    licence: String,

    /// How far a number may be off, and why.
    tolerance: f64,
    why: String,

    bos: Bos,
    spec: AnalysisSpec,
    asked: Vec<Asked>,

    /// Numbers that are means over all that is asked.
    #[serde(default)]
    means: Vec<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    fact: FactSource,
    numbers: Vec<Number>,
}

/// What a number is of, where it stands in the JSON of the result, as a JSON pointer (RFC 6901), and what
/// is published.
#[derive(Deserialize)]
struct Number(String, String, OneOrMany);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(f64),
    Many(Vec<f64>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotChecked {
    what: String,
    source: String,
    why: String,
}

/// A check, carried out.
#[derive(Serialize)]
struct Checked {
    what: String,
    source: String,
    licence: String,
    tolerance: f64,
    why: String,
    numbers: Vec<CheckedNumber>,
}

#[derive(Serialize)]
struct CheckedNumber {
    of: String,
    published: f64,

    /// `None` where the result has no such number.
    computed: Option<f64>,
}

/// What was found of one model.
#[derive(Serialize)]
pub(super) struct Findings {
    /// The model that it is taken for, and the one that was asked.
    published_of: String,
    asked_of: String,
    device: String,
    checks: Vec<Checked>,
    not_checked: Vec<NotChecked>,
}

/// The numbers in a file, or those that are part of the program.
fn read(file: Option<&Path>) -> anyhow::Result<Vec<Published>> {
    let Some(path) = file else { return Ok(serde_json::from_str(&packed::PUBLISHED)?) };
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{} holds no published numbers as `data/published.json` does", path.display())
    })
}

/// Which published numbers were not checked, where no model was named.
pub(super) fn without_a_model() -> anyhow::Result<String> {
    let mut text =
        "not checked: what is published of models that are no part of the program\n".to_owned();
    for it in read(None)? {
        let n: usize = it.checks.iter().map(Check::n_numbers).sum();
        let how = match n {
            0 => "is not computed by this command".to_owned(),
            n => format!("{}: factscope verify --model {}", counted(n, "number"), it.name),
        };
        _ = writeln!(text, "  {}: {how}", it.model);
        list_not_checked(&mut text, "    ", &it.not_checked);
    }
    Ok(text)
}

fn list_not_checked(text: &mut String, indent: &str, all: &[NotChecked]) {
    for it in all {
        _ = writeln!(text, "{indent}not checked: {} ({}): {}", it.what, it.source, it.why);
    }
}

/// Computes what is published of a model. `say` is told of each check at once.
pub(super) fn check(
    model: &Path,
    file: Option<&Path>,
    machine: &Machine,
    say: impl Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Findings> {
    let all = read(file)?;
    let model = machine.model(model)?;
    let engine = machine.opened(&model, &[])?;
    let info = &engine.info;
    let shape = Shape::of(&info.config);
    let published = all.iter().find(|it| it.shape == shape).with_context(|| {
        let known: Vec<String> =
            all.iter().map(|it| format!("{} ({})", it.model, it.shape.text())).collect();
        format!(
            "no numbers are kept that are published of a model like this one ({}); they are of {}",
            shape.text(),
            known.join(", ")
        )
    })?;
    let mut found = Findings {
        published_of: published.model.clone(),
        asked_of: info.name.clone(),
        device: info.device.clone(),
        checks: Vec::new(),
        not_checked: published.not_checked.clone(),
    };
    say(&format!("{} of {}, on {}\n", published.model, found.asked_of, found.device))?;
    for check in &published.checks {
        let checked = check.carried_out(&model, &engine, machine)?;
        say(&checked.to_text())?;
        found.checks.push(checked);
    }
    let mut text = String::new();
    list_not_checked(&mut text, "", &found.not_checked);
    say(&text)?;
    Ok(found)
}

impl Shape {
    fn of(config: &ModelConfig) -> Self {
        let &ModelConfig { n_layers, n_heads, d_model, d_vocab, .. } = config;
        Self { n_layers, n_heads, d_model, d_vocab }
    }

    fn text(self) -> String {
        let Self { n_layers, n_heads, d_model, d_vocab } = self;
        format!("{n_layers} layers of {n_heads} heads, {d_model} wide, {d_vocab} tokens")
    }
}

impl Check {
    fn n_numbers(&self) -> usize {
        let numbers = self.asked.iter().flat_map(|it| &it.numbers).chain(&self.means);
        numbers.map(|it| if let OneOrMany::Many(all) = &it.2 { all.len() } else { 1 }).sum()
    }

    fn carried_out(
        &self,
        model: &Path,
        engine: &Engine,
        machine: &Machine,
    ) -> anyhow::Result<Checked> {
        let (mut results, mut numbers) = (Vec::new(), Vec::new());
        for asked in &self.asked {
            let source = asked.fact.clone();
            let inquiry =
                Inquiry::of(engine.clone(), model, self.bos, source, Vec::new(), machine)?;
            let result = inquiry.document(&self.spec)?;
            let prompt = &inquiry.prompt.text;
            for Number(of, place, published) in &asked.numbers {
                let of = format!("{of} of “{prompt}”");
                compare(&of, published, result.pointer(place), &mut numbers);
            }
            results.push(result);
        }
        for Number(of, place, published) in &self.means {
            let all: Option<Vec<f64>> =
                results.iter().map(|it| it.pointer(place).and_then(Value::as_f64)).collect();
            let mean = all.map(|all| all.iter().sum::<f64>() / all.len() as f64);
            compare(of, published, mean.map(Value::from).as_ref(), &mut numbers);
        }
        Ok(Checked {
            what: self.what.clone(),
            source: self.source.clone(),
            licence: self.licence.clone(),
            tolerance: self.tolerance,
            why: self.why.clone(),
            numbers,
        })
    }
}

/// Puts what is published beside what was computed, number by number.
fn compare(of: &str, published: &OneOrMany, found: Option<&Value>, all: &mut Vec<CheckedNumber>) {
    match published {
        OneOrMany::One(published) => all.push(CheckedNumber {
            of: of.to_owned(),
            published: *published,
            computed: found.and_then(Value::as_f64),
        }),
        OneOrMany::Many(published) => {
            all.extend(published.iter().enumerate().map(|(nth, published)| CheckedNumber {
                of: format!("{of}, number {nth}"),
                published: *published,
                computed: found.and_then(|it| it.get(nth)?.as_f64()),
            }));
        }
    }
}

impl Checked {
    fn differing(&self) -> impl Iterator<Item = &CheckedNumber> {
        self.numbers
            .iter()
            .filter(|it| it.computed.is_none_or(|n| (n - it.published).abs() > self.tolerance))
    }

    fn to_text(&self) -> String {
        let Self { what, source, licence, tolerance, why, numbers } = self;
        let n_other = self.differing().count();
        let n = counted(numbers.len(), "number");
        let mut text = if n_other == 0 {
            let off = numbers.iter().filter_map(|it| Some((it.computed? - it.published).abs()));
            let largest = off.fold(0.0, f64::max);
            format!("agrees   {what}: {n}, largest difference {largest:.1e}\n")
        } else {
            format!("DIFFERS  {what}: {n_other} of {n}\n")
        };
        for CheckedNumber { of, published, computed } in self.differing().take(N_TOLD) {
            let computed = computed.map_or_else(|| "none".to_owned(), |it| format!("{it:.6}"));
            _ = writeln!(text, "    {of}: {published} is published, {computed} computed");
        }
        if n_other > N_TOLD {
            _ = writeln!(text, "    and {} more", n_other - N_TOLD);
        }
        _ = writeln!(text, "  within {tolerance:.0e}, since {why}\n  {source} ({licence})");
        text
    }
}

impl Findings {
    /// Fails if a number is not as it is published.
    pub fn confirm(&self) -> anyhow::Result<()> {
        let n = self.checks.len();
        let n_wrong = self.checks.iter().filter(|it| it.differing().next().is_some()).count();
        ensure!(
            n_wrong == 0,
            "{n_wrong} of {n} do not agree with what is published of {}; is this model it, as its makers \
             released it?",
            self.published_of
        );
        Ok(())
    }
}
