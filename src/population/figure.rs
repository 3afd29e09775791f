//! The figure of a population: the figures of all its facts laid over each other, place by place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::charts::{Form, Found, LEVEL, lines, listing, maps};
use super::left_out::reasons;
use super::part::direction_name;
use super::read::{Cell, Fact, Numbers, Population};
use super::selection::KnownWay;
use super::sweep::RECALL;
use crate::analysis::Resampling;
use crate::facts::Direction;
use crate::figure::words::{counted, is_relative, joined};
use crate::figure::{Chart, Figure, Row, Table};

/// What is shown of a population.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub by: GroupBy,

    /// Only facts that the model knows so. `None` shows all.
    pub known: Option<KnownWay>,

    /// Only facts of these relations. Empty shows all.
    pub relations: Vec<String>,

    /// Only facts that are asked this way. `None` shows both.
    pub direction: Option<Direction>,

    /// The names of the charts that are shown, whichever they are. Empty shows all but the recall and
    /// those whose means over facts mislead: lists of only the largest parts of each fact, and relative
    /// changes, which have no bound.
    pub charts: Vec<String>,

    /// What is shown of each chart, over all layers: a component, a head or the role of a token, by its
    /// name. `None` shows all.
    pub place: Option<String>,

    /// How many places a table lists.
    pub n_listed: usize,

    /// How many parts count as the most important where the parts of both ways are compared.
    pub n_top: usize,
    pub resampling: Resampling,
}

/// All facts, both ways, with the intervals and tests that the command has too.
impl Default for Shown {
    fn default() -> Self {
        Self {
            by: GroupBy::default(),
            known: None,
            relations: Vec::new(),
            direction: None,
            charts: Vec::new(),
            place: None,
            n_listed: 10,
            n_top: 10,
            resampling: Resampling::default(),
        }
    }
}

/// What facts are told apart by. The second group less the first is the difference that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// Facts and their inverses: inverse − fact, within each fact that is asked both ways.
    #[default]
    Way,

    /// Facts that the model does not know, and those it knows the way that they are asked.
    Known,

    /// Relations.
    Relation,
}

/// A figure, and what lies behind its numbers.
#[derive(Debug)]
pub struct Laid {
    pub figure: Figure,

    /// By chart and place in it: a cell of a map, one row after the other, a layer of a line, one line
    /// after the other, or a row of a table. Counts have none.
    pub behind: Vec<Vec<Option<Behind>>>,
}

/// What a mean or a difference is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The place of its numbers in [`Population::charts`].
    pub numbers: usize,

    /// The group of facts; the one after the last is the difference.
    pub group: usize,

    /// The place of its cell among those of the numbers.
    pub cell: usize,
}

/// A fact behind a number.
#[derive(Clone, Debug, PartialEq)]
pub struct OneBehind {
    /// The fact by its place in the population; of a difference within facts the fact and its inverse.
    pub facts: Vec<usize>,
    pub value: f64,
}

/// A chart, and what lies behind each of its places.
type ChartBehind = (Chart, Vec<Option<Behind>>);

/// A group of facts, by their places in the population.
struct Group {
    name: String,
    facts: Vec<usize>,
}

impl Population {
    /// The figure of a population.
    pub fn figure(&self, shown: &Shown) -> Figure {
        self.laid(shown).figure
    }

    /// The figure of a population, with what lies behind each number of its charts.
    pub fn laid<'a>(&'a self, shown: &Shown) -> Laid {
        let kept = self.kept(shown);
        let groups = groups(&self.facts, &kept, shown.by);
        let mut charts = Vec::new();
        let is_named = |it: &Numbers| shown.charts.contains(&it.chart);
        let is_meant =
            |it: &Numbers| is_named(it) || (shown.charts.is_empty() && it.chart != RECALL);
        let meant = self.charts.iter().enumerate().filter(|(_, it)| is_meant(it));
        let (relative, rest): (Vec<_>, Vec<_>) =
            meant.partition(|(_, it)| !is_named(it) && is_relative(&it.quantity));
        let (listing, whole): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(_, it)| !is_named(it) && is_list(it, &kept));
        for &numbers in &whole {
            charts.extend(self.charts_of(numbers, &groups, shown));
        }
        charts.push((Chart::Table(self.counts(&kept)), Vec::new()));
        let (charts, behind) = charts.into_iter().unzip();
        let charts = each_named_once(charts);
        let alone =
            |all: Vec<(usize, &'a Numbers)>| all.into_iter().map(|it| it.1).collect::<Vec<_>>();
        let [listing, relative, whole] = [listing, relative, whole].map(alone);
        let figure = Figure {
            file_name: format!("population_{}", self.manifest.method.replace(' ', "-")),
            title: format!(
                "{} over {}",
                crate::figure::words::capitalized(&self.manifest.method),
                counted(self.n_with_result(&kept), "fact"),
            ),
            charts,
            warnings: self.warnings(&kept, &whole),
            notes: self.notes(shown, &listing, &relative),
            ..Figure::default()
        };
        Laid { figure, behind }
    }

    /// The facts that are shown, by their places in the population.
    fn kept(&self, shown: &Shown) -> Vec<usize> {
        (0..self.facts.len()).filter(|&nth| shown.keeps(&self.facts[nth])).collect()
    }

    /// The facts behind a mean or a difference, the largest value first.
    pub fn behind(&self, shown: &Shown, behind: &Behind) -> Vec<OneBehind> {
        let Some(numbers) = self.charts.get(behind.numbers) else { return Vec::new() };
        let Some(values) = numbers.values.get(behind.cell) else { return Vec::new() };
        let groups = self.groups_of(shown, numbers);
        let alone = |&fact: &usize| OneBehind { facts: vec![fact], value: values[fact] };
        let mut all: Vec<OneBehind> = match (groups.get(behind.group), groups.as_slice(), shown.by)
        {
            (Some(group), ..) => group.facts.iter().map(alone).collect(),
            (None, [first, second], GroupBy::Way) => {
                let pairs = self.pairs(first, second).into_iter();
                pairs
                    .map(|it| OneBehind { facts: it.into(), value: values[it[1]] - values[it[0]] })
                    .collect()
            }
            (None, both, _) => both.iter().flat_map(|it| &it.facts).map(alone).collect(),
        };
        all.retain(|it| !it.value.is_nan());
        all.sort_by(|a, b| b.value.total_cmp(&a.value));
        all
    }

    /// The groups of facts that have some of these numbers.
    fn groups_of(&self, shown: &Shown, numbers: &Numbers) -> Vec<Group> {
        let mut groups = groups(&self.facts, &self.kept(shown), shown.by);
        groups.retain(|it| it.facts.iter().any(|&nth| numbers.has(nth)));
        groups
    }

    /// This number where the folder was read again and has more facts, which may have more places.
    /// `None` if it is of other groups then.
    pub fn again(&self, shown: &Shown, behind: &Behind, before: &Self) -> Option<Behind> {
        let was = before.charts.get(behind.numbers)?;
        let is_it = |it: &Numbers| {
            it.chart == was.chart && it.quantity == was.quantity && it.measured == was.measured
        };
        let numbers = self.charts.iter().position(is_it)?;
        let cell = was.cells.get(behind.cell)?;
        let cell = self.charts[numbers].cells.iter().position(|it| it == cell)?;
        let names = |all: Vec<Group>| all.into_iter().map(|it| it.name).collect::<Vec<_>>();
        let is_same = names(self.groups_of(shown, &self.charts[numbers]))
            == names(before.groups_of(shown, was));
        is_same.then_some(Behind { numbers, cell, group: behind.group })
    }

    /// The names by which [`Shown::place`] tells places apart, of one chart or of all.
    pub fn places(&self, chart: Option<&str>) -> BTreeSet<String> {
        let charts = self.charts.iter();
        let shown = charts.filter(|it| chart.map_or(it.chart != RECALL, |chart| it.chart == chart));
        shown.flat_map(|it| it.cells.iter().map(Cell::name_over_layers)).collect()
    }

    fn n_with_result(&self, kept: &[usize]) -> usize {
        kept.iter().filter(|&&nth| self.facts[nth].left_out.is_none()).count()
    }

    /// The charts of one quantity: the mean of each group, the difference of two, the places with the
    /// largest of them, and whether both ways have them in the same places.
    fn charts_of(
        &self,
        (nth, whole): (usize, &Numbers),
        groups: &[Group],
        shown: &Shown,
    ) -> Vec<ChartBehind> {
        let is_shown =
            |it: &Cell| shown.place.as_ref().is_none_or(|place| it.name_over_layers() == *place);
        let kept: Vec<usize> =
            (0..whole.cells.len()).filter(|&it| is_shown(&whole.cells[it])).collect();
        if kept.is_empty() {
            return Vec::new();
        }
        let part = (kept.len() < whole.cells.len()).then(|| whole.of_cells(&kept));
        let numbers = part.as_ref().unwrap_or(whole);
        let of = |facts: &[usize]| -> Vec<Vec<f64>> {
            let cell = |values: &Vec<f64>| facts.iter().map(|&nth| values[nth]).collect();
            numbers.values.iter().map(cell).collect()
        };
        let resampling = &shown.resampling;
        // Facts that measure something else have charts of their own.
        let has_any = |it: &&Group| it.facts.iter().any(|&nth| numbers.has(nth));
        let groups: Vec<&Group> = groups.iter().filter(has_any).collect();
        let mut found: Vec<Found> = groups
            .iter()
            .map(|group| Found {
                name: group.name.clone(),
                cells: resampling.means(&of(&group.facts)),
            })
            .collect();
        if let [first, second] = groups[..] {
            let name = format!("{} − {}", second.name, first.name);
            let cells = match shown.by {
                GroupBy::Way => resampling.means(&self.paired(numbers, first, second)),
                GroupBy::Known | GroupBy::Relation => {
                    resampling.differences([&of(&second.facts), &of(&first.facts)])
                }
            };
            found.push(Found { name, cells });
        }
        let title = self.title(numbers);
        let about = |place: Option<[usize; 2]>| {
            place.map(|[group, cell]| Behind { numbers: nth, group, cell: kept[cell] })
        };
        let (drawn, cells): (Vec<Chart>, Vec<Option<usize>>) = match Form::of(&numbers.cells) {
            Form::Map { rows, columns, places } => {
                let cells = in_rows(&places, [rows.labels.len(), columns.labels.len()]);
                (maps(&title, &found, &rows, &columns, &places), cells)
            }
            Form::Lines { series, n_layers, places } => {
                let lines = found.iter().map(|it| lines(&title, numbers, it, &series, n_layers));
                (lines.collect(), in_rows(&places, [series.len(), n_layers]))
            }
            Form::List => Default::default(),
        };
        let behind =
            |group: usize| cells.iter().map(|cell| about(cell.map(|cell| [group, cell]))).collect();
        let drawn = drawn.into_iter().enumerate();
        let mut charts: Vec<ChartBehind> =
            drawn.map(|(group, chart)| (chart, behind(group))).collect();
        let (table, rows) = listing(&title, numbers, &found, shown.n_listed);
        charts.push((Chart::Table(table), rows.into_iter().map(|it| about(Some(it))).collect()));
        let shared = self.shared(&title, numbers, &groups, shown);
        charts.extend(shared.map(|it| (Chart::Table(it), Vec::new())));
        charts
    }

    /// The numbers of the same chart and quantity that are parts of something else.
    fn others(&self, numbers: &Numbers) -> impl Iterator<Item = &Numbers> {
        let is_alike = |it: &&Numbers| {
            it.chart == numbers.chart
                && it.quantity == numbers.quantity
                && it.measured != numbers.measured
        };
        self.charts.iter().filter(is_alike)
    }

    /// What a chart shows, and what that is a part of where others show parts of something else.
    fn title(&self, numbers: &Numbers) -> String {
        let title = format!("{}, {}", numbers.chart, numbers.quantity);
        match &numbers.measured {
            Some(measured) if self.others(numbers).next().is_some() => {
                format!("{title} of {measured}")
            }
            _ => title,
        }
    }

    /// The second way of each fact less its first, where both are there. By cell and record.
    fn paired(&self, numbers: &Numbers, first: &Group, second: &Group) -> Vec<Vec<f64>> {
        let pairs = self.pairs(first, second);
        let cell = |values: &Vec<f64>| {
            pairs.iter().map(|&[first, second]| values[second] - values[first]).collect()
        };
        numbers.values.iter().map(cell).collect()
    }

    /// The facts that are in both groups, one way in each.
    fn pairs(&self, first: &Group, second: &Group) -> Vec<[usize; 2]> {
        let record = |&nth: &usize| (self.facts[nth].record, nth);
        let others: BTreeMap<usize, usize> = second.facts.iter().map(record).collect();
        let pair = |&nth: &usize| Some([nth, *others.get(&self.facts[nth].record)?]);
        first.facts.iter().filter_map(pair).collect()
    }

    /// Whether the same parts matter for facts and for their inverses. `None` unless all cells are
    /// parts of the model that both ways of each fact have.
    fn shared(
        &self,
        title: &str,
        numbers: &Numbers,
        groups: &[&Group],
        shown: &Shown,
    ) -> Option<Table> {
        let (&[first, second], GroupBy::Way) = (groups, shown.by) else { return None };
        let is_part = |it: &Cell| it.layer.is_some() && it.role.is_none() && it.other.is_none();
        if numbers.cells.len() < 2 * shown.n_top || !numbers.cells.iter().all(is_part) {
            return None;
        }
        let mut relations: Vec<&Option<String>> = Vec::new();
        let (mut pairs, mut of) = (Vec::new(), Vec::new());
        for pair in self.pairs(first, second) {
            let ways =
                pair.map(|nth| numbers.values.iter().map(|it| it[nth]).collect::<Vec<f64>>());
            if ways.iter().flatten().any(|it| it.is_nan()) {
                continue;
            }
            let relation = &self.facts[pair[0]].relation;
            let place = relations.iter().position(|it| *it == relation).unwrap_or_else(|| {
                relations.push(relation);
                relations.len() - 1
            });
            pairs.push(ways);
            of.push(place);
        }
        let found = shown.resampling.shared_parts(&pairs, &of, shown.n_top)?;
        let row = |(name, own, others, p): (String, f64, f64, f64)| {
            let numbers = [own, others, p, found.n as f64];
            let numbers = numbers.map(|it| crate::figure::Cell::Number(it as f32));
            Row::new([crate::figure::Cell::Text(name)].into_iter().chain(numbers))
        };
        let rows = [
            (
                format!("Share of the top {} in both (Jaccard)", shown.n_top),
                found.jaccard,
                found.jaccard_of_others,
                found.jaccard_p,
            ),
            (
                "Rank correlation (Spearman)".to_owned(),
                found.spearman,
                found.spearman_of_others,
                found.spearman_p,
            ),
        ];
        let columns = ["Alike are", "Own inverse", "Another's of the relation", "p", "Facts"];
        Some(Table::new(format!("{title}: the same parts"), columns, rows.map(row)))
    }

    /// How many facts there are of which kind.
    fn counts(&self, kept: &[usize]) -> Table {
        let mut counts: BTreeMap<(String, String, &str), usize> = BTreeMap::new();
        for &nth in kept {
            let Fact { direction, known, left_out, .. } = &self.facts[nth];
            let result = if left_out.is_none() { "asked" } else { "left out" };
            *counts.entry((direction.clone(), known.clone(), result)).or_default() += 1;
        }
        let row = |((direction, known, result), n): ((String, String, &str), usize)| {
            let texts = [direction, known, result.to_owned()].map(crate::figure::Cell::Text);
            Row::new(texts.into_iter().chain([crate::figure::Cell::Number(n as f32)]))
        };
        Table::new("Facts", ["Asked as", "Known", "Result", "Facts"], counts.into_iter().map(row))
    }

    /// Says that facts measure different things, which no mean mixes. `None` if they do not.
    fn mixture(&self, kept: &[usize], whole: &[&Numbers]) -> Option<String> {
        let first = whole.iter().find(|it| self.others(it).next().is_some())?;
        let all = std::iter::once(*first).chain(self.others(first));
        let count = |it: &Numbers| {
            let n = kept.iter().filter(|&&nth| it.has(nth)).count();
            format!(
                "{} of {}",
                it.measured.as_deref().unwrap_or("the quantity itself"),
                counted(n, "fact")
            )
        };
        let counts: Vec<String> = all.map(count).collect();
        Some(format!(
            "The facts are not measured by the same number, so each kind has charts of its own: {}. A \
             foil is taken off where a fact has one",
            joined(&counts)
        ))
    }

    fn warnings(&self, kept: &[usize], whole: &[&Numbers]) -> Vec<String> {
        let facts = kept.iter().map(|&nth| &self.facts[nth]);
        let mut warnings =
            reasons(facts.filter_map(|it| Some((&*it.case, it.left_out.as_deref()?))));
        warnings.extend(self.mixture(kept, whole));
        if let Some(it) = whole.iter().find(|it| is_relative(&it.quantity)) {
            warnings.push(format!(
                "{}: relative to a small number it has no bound, so few facts may decide its mean",
                it.quantity
            ));
        }
        let n_asked = self.manifest.n_asked;
        if self.facts.len() < n_asked {
            warnings.push(format!(
                "{} of {n_asked} facts are there yet; the same `sweep` goes on",
                self.facts.len()
            ));
        }
        warnings
    }

    fn notes(&self, shown: &Shown, lists: &[&Numbers], relative: &[&Numbers]) -> Vec<String> {
        let Resampling { n_draws, n_permutations, seed } = shown.resampling;
        let mut notes = vec![
            "Each fact counts once: tokens of one role are averaged within it. Means are over the facts \
             that have such a token; a fact that lacks one is not filled in"
                .to_owned(),
            format!(
                "95 % intervals over facts: ±1.96 standard errors, and the percentile bootstrap of \
                 {n_draws} draws, seed {seed}"
            ),
            format!(
                "p: {n_permutations} {} with the largest |mean ÷ standard error| of all places as the \
                 measure, so that it holds for all of them together; ° and a line across mark what is not \
                 below {LEVEL}",
                match shown.by {
                    GroupBy::Way => "sign flips of facts",
                    _ => "sign flips of facts, or relabellings of them for a difference,",
                }
            ),
        ];
        let mut measured: Vec<&str> =
            self.charts.iter().filter_map(|it| it.measured.as_deref()).collect();
        measured.sort_unstable();
        measured.dedup();
        if let [only] = measured[..] {
            notes.push(format!("Numbers are of {only}"));
        }
        let n_single: usize = self.charts.iter().map(|it| it.n_single).sum();
        if n_single > 0 {
            let places = counted(n_single, "place");
            notes.push(format!("Left out, because only one fact has each: {places}"));
        }
        if !lists.is_empty() {
            let mut names: Vec<&str> = lists.iter().map(|it| &*it.chart).collect();
            names.dedup();
            notes.push(format!(
                "Left out, because they list only the largest parts of each fact, and a mean over those \
                 facts in which a part is large would be too large: {}; to see them, choose their chart \
                 (--chart)",
                names.join(", ")
            ));
        }
        if !relative.is_empty() {
            let mut names: Vec<String> =
                relative.iter().map(|it| format!("{}, {}", it.chart, it.quantity)).collect();
            names.dedup();
            notes.push(format!(
                "Left out, because a number relative to a small one has no bound, so that few facts decide \
                 its mean: {}; --chart shows them all the same",
                names.join("; ")
            ));
        }
        let is_shared = self.manifest.settings.get("shared_draws") == Some(&true.into());
        if is_shared {
            notes.push(
                "All facts share the draws of one seed, as in ROME: the intervals leave out how much \
                 the means would change with other draws"
                    .to_owned(),
            );
        }
        let settings = &self.manifest;
        notes.push(format!(
            "Facts of {} ({}), model {} ({}), spec {}",
            settings.facts.display(),
            short(&settings.facts_sha256),
            settings.model,
            short(&settings.model_sha256),
            short(&settings.spec_sha256),
        ));
        notes
    }
}

fn short(hash: &str) -> String {
    format!("#{}", hash.get(..8).unwrap_or(hash))
}

impl Shown {
    fn keeps(&self, fact: &Fact) -> bool {
        let is_known = match self.known {
            None => true,
            Some(KnownWay::Forward) => matches!(&*fact.known, "forward" | "both"),
            Some(KnownWay::Inverse) => matches!(&*fact.known, "inverse" | "both"),
            Some(KnownWay::Both) => fact.known == "both",
        };
        let relation = fact.relation.as_ref();
        let is_asked_so = self.direction.is_none_or(|it| direction_name(it) == fact.direction);
        is_known
            && is_asked_so
            && (self.relations.is_empty() || relation.is_some_and(|it| self.relations.contains(it)))
    }
}

/// The groups that have facts with a result, in the order in which they are shown.
fn groups(facts: &[Fact], kept: &[usize], by: GroupBy) -> Vec<Group> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &nth in kept.iter().filter(|&&nth| facts[nth].left_out.is_none()) {
        let fact = &facts[nth];
        let name = match by {
            GroupBy::Way => fact.direction.clone(),
            GroupBy::Known if fact.is_known() => "known".to_owned(),
            GroupBy::Known => "unknown".to_owned(),
            GroupBy::Relation => fact.relation.clone().unwrap_or_else(|| "none".to_owned()),
        };
        groups.entry(name).or_default().push(nth);
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(name, facts)| Group { name, facts }).collect();
    if by == GroupBy::Known {
        groups.reverse();
    }
    groups
}

/// Whether a chart lists only some places of each fact, such as the largest: a place that has no
/// token's role, which a prompt may lack, is not in all facts.
fn is_list(numbers: &Numbers, kept: &[usize]) -> bool {
    let has = |values: &Vec<f64>, nth: usize| !values[nth].is_nan();
    let asked = kept.iter().filter(|&&nth| numbers.values.iter().any(|it| has(it, nth)));
    let asked: Vec<usize> = asked.copied().collect();
    let mut cells = numbers.cells.iter().zip(&numbers.values);
    let is_of_token = |it: &Cell| it.role.is_some() || it.other.is_some();
    numbers.n_single > 0
        || cells
            .any(|(cell, values)| !is_of_token(cell) && asked.iter().any(|&nth| !has(values, nth)))
}

/// Charts of one name are told apart by a number.
fn each_named_once(mut charts: Vec<Chart>) -> Vec<Chart> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for chart in &mut charts {
        let n = seen.entry(chart.name().to_owned()).or_default();
        *n += 1;
        if *n > 1 {
            let name = format!("{} {n}", chart.name());
            match chart {
                Chart::Map(it) => it.name = name,
                Chart::Lines(it) => it.name = name,
                Chart::Table(it) => it.name = name,
                _ => {}
            }
        }
    }
    charts
}

/// The cell at each place of a grid, one row after the other. `places`: of each cell, row and column.
fn in_rows(places: &[[usize; 2]], [n_rows, n_columns]: [usize; 2]) -> Vec<Option<usize>> {
    let mut cells = vec![None; n_rows * n_columns];
    for (cell, [row, column]) in places.iter().enumerate() {
        cells[row * n_columns + column] = Some(cell);
    }
    cells
}
