//! A figure's numbers in long form: each by itself, with the keys of what it is about, so that figures
//! of many facts can be laid over each other.

use std::sync::Arc;

use super::depth::DepthPart;
use super::{Cell, Chart, Figure, Graph, Key, Lines, Map, Pick, Side, Table};
use crate::analysis::Role;
use crate::analysis::logit_attribution::Component;
use crate::tokens::TokenizedPrompt;

/// A number of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The name of the chart that it is in.
    pub chart: Arc<str>,

    /// What it is, with its unit.
    pub quantity: Arc<str>,

    /// What it is about.
    pub at: Place,

    /// The second of two places of the same kind, such as the token that is attended to.
    pub other: Place,

    /// NaN where there is none.
    pub value: f32,
}

/// What a number is about. What does not apply is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub layer: Option<usize>,
    pub head: Option<usize>,

    /// The kind of part: `attn`, `mlp`, `head`, `embed`, …
    pub component: Option<Arc<str>>,

    /// The token's position in its prompt.
    pub position: Option<usize>,

    /// The token's role in its prompt.
    pub role: Option<Role>,

    /// What only its label tells, such as the name of a line.
    pub label: Option<Arc<str>>,
}

impl Figure {
    /// All numbers, chart by chart. `prompt`: the one that the figure is about, if there is one.
    pub fn numbers(&self, prompt: Option<&TokenizedPrompt>) -> Vec<Number> {
        let mut list = List { prompt, chart: "".into(), numbers: Vec::new() };
        for chart in &self.charts {
            list.chart = chart.name().into();
            list.chart(chart);
        }
        list.numbers
    }
}

/// The numbers so far, and the chart whose numbers follow.
struct List<'a> {
    prompt: Option<&'a TokenizedPrompt>,
    chart: Arc<str>,
    numbers: Vec<Number>,
}

impl List<'_> {
    fn push(&mut self, quantity: &Arc<str>, (at, other): (Place, Place), value: f32) {
        let (chart, quantity) = (Arc::clone(&self.chart), Arc::clone(quantity));
        self.numbers.push(Number { chart, quantity, at, other, value });
    }

    fn chart(&mut self, chart: &Chart) {
        match chart {
            Chart::Map(map) => self.map(map),
            Chart::Lines(lines) => self.lines(lines),
            Chart::Bars(bars) => self.bars(bars),
            Chart::Waterfall(waterfall) => {
                self.bars(&waterfall.bars);
                let from = "from".into();
                for (start, bar) in waterfall.starts.iter().zip(&waterfall.bars.bars) {
                    let at = self.named(bar.pick, &bar.label);
                    self.push(&from, (at, Place::default()), *start);
                }
            }
            Chart::Scatter(scatter) => {
                let titles: [Arc<str>; 2] = [&*scatter.x_title, &*scatter.y_title].map(Into::into);
                for point in &scatter.points {
                    let at = self.named(point.pick, &point.label);
                    for (title, value) in titles.iter().zip([point.x, point.y]) {
                        self.push(title, (at.clone(), Place::default()), value);
                    }
                }
            }
            Chart::Graph(graph) => self.graph(graph),
            Chart::Table(table) => self.table(table),
        }
    }

    fn map(&mut self, map: &Map) {
        let quantity = (&*map.quantity).into();
        let [rows, columns] = [&map.rows, &map.columns].map(places);
        let cells = rows.iter().flat_map(|row| columns.iter().map(move |it| (row, it)));
        for ((row, column), value) in cells.zip(&map.values) {
            self.push(&quantity, row.clone().joined(column.clone()), *value);
        }
    }

    fn lines(&mut self, lines: &Lines) {
        let [quantity, low, high]: [Arc<str>; 3] = [&lines.quantity, "low", "high"].map(Into::into);
        for series in &lines.series {
            for (layer, &value) in series.values.iter().enumerate() {
                let label = Some((&*series.name).into());
                let at = Place { layer: Some(layer), label, ..Place::default() };
                self.push(&quantity, (at.clone(), Place::default()), value);
                if let Some(&(from, to)) = series.band.get(layer) {
                    self.push(&low, (at.clone(), Place::default()), from);
                    self.push(&high, (at, Place::default()), to);
                }
            }
        }
    }

    fn bars(&mut self, bars: &super::Bars) {
        let quantity = (&*bars.quantity).into();
        for (nth, bar) in bars.bars.iter().enumerate() {
            let mut at = self.named(bar.pick, &bar.label);
            at.component = bars.parts.get(nth).map(|part| depth_name(*part).into());
            self.push(&quantity, (at, Place::default()), bar.value);
        }
    }

    /// The lightest edge first.
    fn graph(&mut self, graph: &Graph) {
        let quantity = (&*graph.quantity).into();
        for edge in &graph.edges {
            let [mut from, to] = [edge.from, edge.to].map(|nth| {
                let node = &graph.nodes[nth];
                self.named(node.pick, &node.label)
            });
            if from.label.is_none() {
                from.label = Some((&*edge.via).into());
            }
            self.push(&quantity, (from, to), edge.weight);
        }
    }

    /// A number for each cell that holds one, about what the row's texts say.
    fn table(&mut self, table: &Table) {
        let columns: Vec<Arc<str>> = table.columns.iter().map(|it| (&**it).into()).collect();
        for row in &table.rows {
            let texts: Vec<String> = row.cells.iter().filter_map(Cell::text).collect();
            let at = self.named(row.pick, &texts.join(" · "));
            for (column, cell) in columns.iter().zip(&row.cells) {
                if let Some(value) = cell.number() {
                    self.push(column, (at.clone(), Place::default()), value);
                }
            }
        }
    }

    /// A place that is picked, by its label too unless that is a token's, which another prompt lacks.
    fn named(&self, pick: Pick, label: &str) -> Place {
        let prompt = self.prompt.filter(|it| pick.position.is_some_and(|pos| pos < it.n_pos()));
        Place {
            layer: pick.layer,
            head: pick.head,
            component: None,
            position: pick.position,
            role: prompt.zip(pick.position).map(|(prompt, pos)| Role::of(prompt, pos)),
            label: (pick.position.is_none() && !label.is_empty()).then(|| label.into()),
        }
    }
}

impl Place {
    /// Two places as one, or beside each other where both say the same of different things.
    fn joined(self, column: Self) -> (Self, Self) {
        let both = |a: bool, b: bool| a && b;
        let clashes = both(self.layer.is_some(), column.layer.is_some())
            || both(self.head.is_some(), column.head.is_some())
            || both(self.component.is_some(), column.component.is_some())
            || both(self.position.is_some(), column.position.is_some())
            || both(self.role.is_some(), column.role.is_some())
            || both(self.label.is_some(), column.label.is_some());
        if clashes {
            return (self, column);
        }
        let joined = Self {
            layer: self.layer.or(column.layer),
            head: self.head.or(column.head),
            component: self.component.or(column.component),
            position: self.position.or(column.position),
            role: self.role.or(column.role),
            label: self.label.or(column.label),
        };
        (joined, Self::default())
    }
}

/// The places along a side.
fn places(side: &Side) -> Vec<Place> {
    let place = |(key, label): (&Key, &String)| {
        let none = Place::default();
        match *key {
            Key::Layer(layer) => Place { layer: Some(layer), ..none },
            Key::Head(head) => Place { head: Some(head), ..none },
            Key::Position { pos, role } => Place { position: Some(pos), role, ..none },
            Key::Role(role) => Place { role: Some(role), ..none },
            Key::Component(part) => component(part),
            Key::Width(_) | Key::Label => Place { label: Some((&**label).into()), ..none },
        }
    };
    side.keys.iter().zip(&side.labels).map(place).collect()
}

fn component(part: Component) -> Place {
    let (name, layer, head) = match part {
        Component::Embed => ("embed", None, None),
        Component::PosEmbed => ("pos_embed", None, None),
        Component::Bias => ("bias", None, None),
        Component::AttnOut(layer) => ("attn", Some(layer), None),
        Component::MlpOut(layer) => ("mlp", Some(layer), None),
        Component::Head { layer, head } => ("head", Some(layer), Some(head)),
    };
    Place { layer, head, component: Some(name.into()), ..Place::default() }
}

fn depth_name(part: DepthPart) -> &'static str {
    match part {
        DepthPart::Embedding => "embed",
        DepthPart::Attention => "attn",
        DepthPart::Mlp => "mlp",
        DepthPart::FinalNorm => "ln_f",
        DepthPart::Sum => "sum",
    }
}
