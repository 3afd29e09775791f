//! `factscope population`: what the facts of a sweep have in common.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::analysis::Resampling;
use crate::cli::flags::choice;
use crate::cli::machine::Machine;
use crate::cli::output::FigureOutput;
use crate::facts::Catalogue;
use crate::population::{self, GroupBy, KnownWay, Shown, Wanted};

#[derive(Args)]
pub struct Population {
    /// The folder that `sweep` wrote, or one that holds the folders of all its shards
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Only this chart of the method's figure; may be given again [default: all but the recall, which
    /// is called `Recall of the answer`, and but those whose means mislead: lists of the largest parts
    /// of each fact, and relative changes]
    #[arg(long, value_name = "NAME")]
    chart: Vec<String>,

    /// What facts are told apart by: the `way` they are asked, whether they are `known` that way, or
    /// their `relation`. Of two groups the difference is tested, of ways within each fact
    #[arg(long, value_name = "WHAT", default_value = "way", value_parser = choice::<GroupBy>())]
    by: GroupBy,

    /// Only facts that the model knows `forward`, as an `inverse`, or `both` ways
    #[arg(long, value_name = "WAY", value_parser = choice::<KnownWay>())]
    known: Option<KnownWay>,

    /// Only facts of this relation: its Wikidata id, such as P36, or its name; may be given again
    #[arg(long, value_name = "RELATION")]
    relation: Vec<String>,

    /// Only this place of each chart, over all layers: a component, a head such as `H3`, or what a token
    /// is, such as `last subject token`
    #[arg(long, value_name = "NAME")]
    place: Option<String>,

    /// How many places of each chart are listed with their intervals
    #[arg(long, value_name = "N", default_value_t = Shown::default().n_listed)]
    top: usize,

    /// How many parts count as the most important where the parts of facts and their inverses are
    /// compared
    #[arg(long, value_name = "K", default_value_t = Shown::default().n_top)]
    top_parts: usize,

    /// Draws of the bootstrap
    #[arg(long, value_name = "N", default_value_t = Resampling::default().n_draws)]
    draws: usize,

    /// How often signs are flipped, labels exchanged or pairs drawn, for the p-values
    #[arg(long, value_name = "N", default_value_t = Resampling::default().n_permutations)]
    permutations: usize,

    /// Seed of both
    #[arg(long, value_name = "N", default_value_t = Resampling::default().seed)]
    seed: u64,

    #[command(flatten)]
    output: FigureOutput,
}

impl Population {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let can_be_drawn = 1..=Resampling::MOST;
        ensure!(
            can_be_drawn.contains(&self.draws) && can_be_drawn.contains(&self.permutations),
            "--draws and --permutations are from 1 to {}",
            Resampling::MOST
        );
        let wanted = Wanted { charts: self.chart.clone() };
        let found =
            machine.watched("Reading", |_| population::Population::load(&self.dir, &wanted))?;
        for name in &self.chart {
            let names: Vec<&str> = found.charts.iter().map(|it| &*it.chart).collect();
            ensure!(
                names.contains(&&**name),
                "there is no chart “{name}” in {}",
                self.dir.display()
            );
        }
        if let Some(place) = &self.place {
            let mut names = found.places(None);
            names.extend(self.chart.iter().flat_map(|it| found.places(Some(it))));
            let all: Vec<&str> = names.iter().map(|it| &**it).take(20).collect();
            ensure!(
                names.contains(place),
                "there is no place “{place}” in {}; there are {}",
                self.dir.display(),
                all.join(", ")
            );
        }
        let catalogue = Catalogue::bundled();
        let relations: Vec<String> = self.relation.iter().map(|it| catalogue.id_of(it)).collect();
        for (name, id) in self.relation.iter().zip(&relations) {
            ensure!(
                found.facts.iter().any(|it| it.relation.as_ref() == Some(id)),
                "no fact is of the relation “{name}” that --relation names: {}",
                self.dir.display()
            );
        }
        let shown = Shown {
            by: self.by,
            known: self.known,
            relations,
            direction: None,
            charts: self.chart.clone(),
            place: self.place.clone(),
            n_listed: self.top,
            n_top: self.top_parts,
            resampling: Resampling {
                n_draws: self.draws,
                n_permutations: self.permutations,
                seed: self.seed,
            },
        };
        let figure = machine.watched("Drawing samples", |_| anyhow::Ok(found.figure(&shown)))?;
        self.output.write(machine, &figure, || {
            Ok(serde_json::json!({
                "program": crate::figure::program(),
                "method": found.manifest.method,
                "sweep": found.manifest,
                "facts": found.facts,
                "figure": figure,
            }))
        })
    }
}
