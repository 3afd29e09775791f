use std::fmt::Write as _;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail};
use super::run::Session;
use super::{Machine, ModelArgs};
use crate::analysis::activation_patching::{ActivationPatching, Part, Places, Spec};
use crate::analysis::{AnalysisSpec, Grid, Measurement, Metric, Pair, Role};
use crate::experiment::{FactSource, RecordFact, TextFact};
use crate::facts::{Direction, Fact};
use crate::tokens::{Answer, TokenizedPrompt, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Patch {
    #[command(flatten)]
    asked: PairedArgs,

    /// What is patched: the residual stream after a layer, what MLPs or attention add to it, or each
    /// head's output
    #[arg(long, value_enum)]
    kind: Kind,

    /// Layers patched together, for `mlp` and `attn`
    #[arg(long, value_name = "N", default_value_t = 1)]
    window: usize,

    /// Patch all pairs at once instead of one at a time
    #[arg(long)]
    together: bool,

    #[command(flatten)]
    output: AnalysisOutput,
}

/// A fact in a model, and the prompt that activations are taken from.
#[derive(Args)]
pub(super) struct PairedArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    #[command(flatten)]
    from: FromArgs,
}

/// The prompt that activations are taken from, and where they go.
#[derive(Args)]
struct FromArgs {
    /// The prompt to take activations from
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["from_case", "from_inverse"])]
    from: Option<String>,

    /// The words that it is about
    #[arg(long, value_name = "TEXT", requires = "from")]
    from_subject: Option<String>,

    /// Its answer, measured as the foil [default: the model's own first guess]
    #[arg(long, value_name = "TEXT")]
    from_answer: Option<String>,

    /// Another fact of the dataset, by its `case_id` or `known_id`
    #[arg(long, value_name = "ID", requires = "facts")]
    from_case: Option<String>,

    /// The fact asked the other way round: its inverse, or with --inverse the fact itself
    #[arg(long, requires = "facts")]
    from_inverse: bool,

    /// A position of that prompt and the one of this that it is paired with; may be given often
    /// [default: by their roles]
    #[arg(long = "pair", value_name = "FROM:TO")]
    pairs: Vec<Pair>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Hidden,
    Mlp,
    Attn,
    Heads,
}

/// What was asked, with the other prompt.
pub(super) struct Paired {
    pub session: Session,
    pub donor: TokenizedPrompt,
    pub pairs: Vec<Pair>,
}

impl PairedArgs {
    /// `foil`: a wrong answer instead of the fact's own.
    pub fn ask(&self, foil: Option<&str>, machine: &Machine) -> anyhow::Result<Paired> {
        let donor = self.from.fact(&self.fact)?;
        let session = self.model.ask(self.fact.source().with_foil(foil), machine)?;
        let tokenizer = &session.engine.info.tokenizer;
        let donor = TokenizedPrompt::new(tokenizer, &donor, self.model.bos())?;
        let pairs = self.from.pairs(&donor, &session.prompt);
        Ok(Paired { session, donor, pairs })
    }
}

impl FromArgs {
    /// The donor as text.
    fn fact(&self, recipient: &FactArgs) -> anyhow::Result<Fact> {
        let answer = self.from_answer.clone();
        let source = match (&self.from, &recipient.facts, &recipient.case) {
            (Some(prompt), _, _) => FactSource::Text(TextFact {
                prompt: prompt.clone(),
                subject: self.from_subject.clone(),
                answer,
                ..TextFact::default()
            }),
            (None, Some(facts), Some(case)) if self.from_case.is_some() || self.from_inverse => {
                FactSource::Record(RecordFact {
                    facts: facts.clone(),
                    case: self.from_case.as_ref().unwrap_or(case).clone(),
                    direction: match (recipient.direction(), self.from_inverse) {
                        (same, false) => same,
                        (Direction::Forward, true) => Direction::Inverse,
                        (Direction::Inverse, true) => Direction::Forward,
                    },
                    answer,
                    foil: None,
                })
            }
            _ => bail!(
                "name the prompt to take activations from with --from, --from-case or \
                 --from-inverse"
            ),
        };
        Ok(source.question()?.fact)
    }

    /// Those that are named, or those with the same roles.
    fn pairs(&self, donor: &TokenizedPrompt, recipient: &TokenizedPrompt) -> Vec<Pair> {
        if self.pairs.is_empty() { Pair::by_role(donor, recipient) } else { self.pairs.clone() }
    }
}

impl Patch {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let Paired { session, donor, pairs } = self.asked.ask(None, machine)?;
        let spec = Spec {
            pairs,
            donor: donor.into(),
            places: if self.together { Places::Together } else { Places::Each },
            part: match self.kind {
                Kind::Hidden => Part::Hidden,
                Kind::Mlp => Part::Mlp,
                Kind::Attn => Part::Attn,
                Kind::Heads => Part::Heads,
            },
            window: self.window,
        };
        session.finish(AnalysisSpec::ActivationPatching(spec), &self.output, machine)
    }
}

/// Pairs with the tokens at both ends, and what these are to their prompts.
pub(super) fn pairs_json(
    pairs: &[Pair],
    donor: &TokenizedPrompt,
    recipient: &TokenizedPrompt,
) -> Vec<Value> {
    let end = |prompt: &TokenizedPrompt, pos: usize| json!({ "pos": pos, "token": prompt.pieces[pos], "role": Role::of(prompt, pos) });
    let pairs = pairs.iter();
    pairs
        .map(|it| json!({ "from": end(donor, it.donor), "to": end(recipient, it.recipient) }))
        .collect()
}

pub(super) fn to_json(
    it: &ActivationPatching,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let donor = &it.spec.donor;
    let each = |read: &dyn Fn(&Measurement) -> Option<f32>| -> Vec<Vec<Vec<Option<f32>>>> {
        let cell = |cell: &Option<Measurement>| cell.as_ref().and_then(read);
        let map = |map: &Grid<Option<Measurement>>| {
            map.rows().map(|row| row.iter().map(cell).collect()).collect()
        };
        it.patched.iter().map(map).collect()
    };
    let body = json!({
        "spec": it.spec,
        "pairs": pairs_json(&it.spec.pairs, donor, &it.prompt),
        "clean": it.clean,
        "donor": it.donor,
        // One map of layer × pair, or for heads one of layer × head for each pair.
        "patched": it.patched.iter().map(|map| map.rows().collect::<Vec<_>>()).collect::<Vec<_>>(),
        "prob": each(&|it| Some(it.prob)),
        "foil_prob": each(&ActivationPatching::foil_prob),
        "logit_diff": each(&|it| it.logit_diff),
        "recovery": each(&|cell| it.recovery(cell, Metric::LogitDiff)),
        "donor_tokens": donor.pieces,
        "donor_ids": donor.ids,
    });
    with_tail(body, &it.prompt, engine, machine)
}

/// How many cells are listed.
const N_LISTED: usize = 15;

pub(super) fn to_text(it: &ActivationPatching) -> String {
    let (donor, prompt) = (&it.spec.donor, &it.prompt);
    let name = |answer: &Option<Answer>| {
        answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default()
    };
    let (answer, foil) = (name(&prompt.answer), name(&prompt.foil));
    let reading = |measured: &Measurement| {
        let foil_prob = ActivationPatching::foil_prob(measured).unwrap_or(f32::NAN);
        let difference = measured.logit_diff.unwrap_or(f32::NAN);
        format!("{:>9.5}  {foil_prob:>9.5}  {difference:>+9.3}", measured.prob)
    };
    let mut text = format!("paired tokens, from “{}”\n", donor.text);
    for pair in &it.spec.pairs {
        let (from, to) = (&donor.pieces[pair.donor], &prompt.pieces[pair.recipient]);
        let role = Role::of(prompt, pair.recipient);
        _ = writeln!(
            text,
            "  {:>3} {:<14} to {:>3} {:<14} {role}",
            pair.donor,
            visible(from),
            pair.recipient,
            visible(to)
        );
    }
    _ = writeln!(
        text,
        "\n  p({answer})    p({foil})  logit difference\n{}  this prompt\n{}  the other",
        reading(&it.clean),
        reading(&it.donor)
    );
    _ = writeln!(text, "\npatched, the largest changes of the logit difference");
    let clean = it.clean.logit_diff.unwrap_or(f32::NAN);
    let mut cells = Vec::new();
    for (nth, map) in it.patched.iter().enumerate() {
        for (layer, row) in map.rows().enumerate() {
            let cell = |(column, cell): (usize, &Option<Measurement>)| {
                Some((nth, layer, column, (*cell)?))
            };
            cells.extend(row.iter().enumerate().filter_map(cell));
        }
    }
    let change = |it: &Measurement| (it.logit_diff.unwrap_or(f32::NAN) - clean).abs();
    cells.sort_by(|a, b| change(&b.3).total_cmp(&change(&a.3)));
    for (nth, layer, column, measured) in cells.into_iter().take(N_LISTED) {
        let (place, part) = match it.spec.part {
            Part::Heads => (nth, format!("L{layer}H{column}")),
            Part::Hidden | Part::Mlp | Part::Attn => (column, format!("layer {layer}")),
        };
        let at = match it.spec.places {
            Places::Together => "all pairs".to_owned(),
            Places::Each => {
                let pos = it.spec.pairs[place].recipient;
                format!("token {pos:>3} {}", visible(&prompt.pieces[pos]))
            }
        };
        _ = writeln!(text, "{}  {part:<8}  {at}", reading(&measured));
    }
    text
}
