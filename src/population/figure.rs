//! The figure of a population: the figures of all its facts laid over each other, place by place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::charts::{Form, Found, QUESTIONS, lines, listing, maps};
use super::groups::{Counted, Group, groups};
use super::read::{Cell, Numbers, Population};
use super::selection::KnownWay;
use super::sweep::RECALL;
use crate::analysis::{Resampling, SharedQuestion};
use crate::facts::Direction;
use crate::figure::words::{DESCENT, capitalized, has_sign, is_relative};
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

    /// The names of the charts that are shown, whichever they are. Empty shows all but the recall, how an
    /// edit found its value and those whose means over facts mislead: lists of only the largest parts of each fact, and relative
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

/// A chart, and what lies behind each of its places.
type ChartBehind = (Chart, Vec<Option<Behind>>);

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
            |it: &Numbers| is_named(it) || (shown.charts.is_empty() && is_usual(&it.chart));
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
                "{} over {}, model {}",
                capitalized(&self.manifest.method),
                self.counted_with_result(&kept),
                self.manifest.model,
            ),
            charts,
            warnings: self.warnings(&kept, &whole),
            notes: self.notes((shown, &kept), &listing, &relative),
            made_with: vec![self.made_with()],
            ..Figure::default()
        };
        Laid { figure, behind }
    }

    /// The names by which [`Shown::place`] tells places apart, of one chart or of all.
    pub fn places(&self, chart: Option<&str>) -> BTreeSet<String> {
        let charts = self.charts.iter();
        let shown = charts
            .filter(|it| chart.map_or_else(|| is_usual(&it.chart), |chart| it.chart == chart));
        shown.flat_map(|it| it.cells.iter().map(Cell::name_over_layers)).collect()
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
        let resampling = &shown.resampling;
        // Facts that measure something else have charts of their own.
        let has_any = |it: &&Group| it.facts.iter().any(|&nth| numbers.has(nth));
        let groups: Vec<&Group> = groups.iter().filter(has_any).collect();
        let of: Vec<Counted> = groups.iter().map(|it| self.counted(numbers, it)).collect();
        let mean = |(group, it): (&&Group, &Counted)| Found {
            name: group.name.clone(),
            cells: resampling.means(&it.values),
            n_facts: it.n_facts.clone(),
            is_tested: has_sign(&numbers.quantity),
        };
        let mut found: Vec<Found> = groups.iter().zip(&of).map(mean).collect();
        if let ([first, second], [of_first, of_second]) = (&groups[..], &of[..]) {
            let name = format!("{} − {}", second.name, first.name);
            let (cells, n_facts) = match shown.by {
                GroupBy::Way => {
                    let pairs = self.paired(numbers, first, second);
                    (resampling.means(&pairs.values), pairs.n_facts)
                }
                GroupBy::Known | GroupBy::Relation => {
                    let cells = resampling.differences([&of_second.values, &of_first.values]);
                    let both = of_first.n_facts.iter().zip(&of_second.n_facts);
                    (cells, both.map(|(a, b)| a + b).collect())
                }
            };
            found.push(Found { name, cells, n_facts, is_tested: true });
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
    pub(super) fn others(&self, numbers: &Numbers) -> impl Iterator<Item = &Numbers> {
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
        let is_whole = |pair: &[usize; 2]| {
            pair.iter().all(|&nth| numbers.values.iter().all(|it| !it[nth].is_nan()))
        };
        let mut pairs = self.pairs(first, second);
        pairs.retain(is_whole);
        let questions = self.questions_of_pairs(&pairs).into_iter().map(|question| {
            let relation = &self.facts[pairs[question[0]][0]].relation;
            let place = relations.iter().position(|it| *it == relation).unwrap_or_else(|| {
                relations.push(relation);
                relations.len() - 1
            });
            let ways = |nth: usize| numbers.values.iter().map(|it| it[nth]).collect::<Vec<f64>>();
            let pairs = question.into_iter().map(|it| pairs[it].map(ways)).collect();
            SharedQuestion { relation: place, pairs }
        });
        let questions: Vec<SharedQuestion> = questions.collect();
        let found = shown.resampling.shared_parts(&questions, shown.n_top)?;
        let mut columns =
            vec!["Alike are", "Own inverse", "Another's of the relation", "p", "Facts"];
        if found.n < found.n_facts {
            columns.push(QUESTIONS);
        }
        let row = |(name, own, others, p): (String, f64, f64, f64)| {
            let numbers = [own, others, p, found.n_facts as f64, found.n as f64];
            let numbers = numbers.map(|it| crate::figure::Cell::Number(it as f32));
            let cells = [crate::figure::Cell::Text(name)].into_iter().chain(numbers);
            Row::new(cells.take(columns.len()))
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
        let rows = rows.map(row);
        Some(Table::new(format!("{title}: the same parts"), columns, rows))
    }
}

/// Whether a chart is shown unasked: what the model recalls, and how an edit found its value, are no
/// findings of the method.
fn is_usual(chart: &str) -> bool {
    chart != RECALL && chart != DESCENT
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
