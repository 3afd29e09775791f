//! A figure's numbers in long form: each by itself, with the keys of what it is about, so that figures
//! of many facts can be laid over each other.

use std::sync::Arc;

use super::depth::DepthPart;
use super::{Cell, Chart, Figure, Graph, Key, Lines, Map, Pick, Side, Table};
use crate::analysis::Role;
use crate::analysis::logit_attribution::Component;
use crate::figure::words::{first_piece, token_at};
use crate::tokens::{TokenizedPrompt, visible};

/// A number of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The name of the chart that it is in.
    pub chart: Arc<str>,

    /// What the number measures, with its unit.
    pub quantity: Arc<str>,

    /// What the number is a part or a state of, where the quantity does not say it:
    /// `logit(answer) − logit(foil)`, for instance, or `logit(answer) minus the vocabulary mean`.
    pub measured: Option<Arc<str>>,

    /// The layer, head, component and token that the number is about.
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
    /// All numbers, chart by chart, those that are not drawn last. `prompt`: the one that the figure is about, if there is one. Names of
    /// its tokens, its answer and its foil are those of their roles, because other facts have others:
    /// `p(answer)`, `After the last token`.
    pub fn numbers(&self, prompt: Option<&TokenizedPrompt>) -> Vec<Number> {
        let mut names = Vec::new();
        if let Some(prompt) = prompt {
            let token = |pos| (token_at(pos, prompt), format!("the {}", Role::of(prompt, pos)));
            names.extend((0..prompt.n_pos()).map(token));
            for (answer, role) in [(&prompt.answer, "answer"), (&prompt.foil, "foil")] {
                let Some(answer) = answer else { continue };
                // The whole answer first, because it begins with its first token.
                let words = [visible(&answer.text), first_piece(answer)];
                names.extend(words.map(|it| (it, role.to_owned())));
            }
        }
        let measured = self.measured.as_deref().map(Into::into);
        let mut list = List { prompt, names, chart: "".into(), measured, numbers: Vec::new() };
        for chart in self.charts.iter().chain(&self.undrawn) {
            list.chart = list.of_any_fact(chart.name());
            list.chart(chart);
        }
        list.numbers
    }
}

/// The text with another word in the place of each whole one that is `word`.
fn replaced(text: &str, word: &str, by: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word).filter(|_| !word.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let starts = before.is_empty() || before.ends_with(['(', ' ', '“']);
        let ends = after.is_empty() || after.starts_with([')', ' ', ',', '”']);
        replaced.push_str(before);
        replaced.push_str(if starts && ends { by } else { word });
        rest = after;
    }
    replaced + rest
}

/// The numbers so far, and the chart whose numbers follow.
struct List<'a> {
    prompt: Option<&'a TokenizedPrompt>,

    /// Tokens as this fact has them, each with what it is called for any fact.
    names: Vec<(String, String)>,
    chart: Arc<str>,
    measured: Option<Arc<str>>,
    numbers: Vec<Number>,
}

impl List<'_> {
    /// A name without the answer and the foil of this fact.
    fn of_any_fact(&self, name: &str) -> Arc<str> {
        let of_any = |name: String, (word, by): &(String, String)| replaced(&name, word, by);
        self.names.iter().fold(name.to_owned(), of_any).into()
    }

    fn push(&mut self, quantity: &Arc<str>, (at, other): (Place, Place), value: f32) {
        let (chart, quantity) = (Arc::clone(&self.chart), Arc::clone(quantity));
        let measured = self.measured.clone();
        self.numbers.push(Number { chart, quantity, measured, at, other, value });
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
                let titles = [&*scatter.x_title, &*scatter.y_title].map(|it| self.of_any_fact(it));
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
        let quantity = self.of_any_fact(&map.quantity);
        let [rows, columns] = [&map.rows, &map.columns].map(|it| self.places(it));
        let cells = rows.iter().flat_map(|row| columns.iter().map(move |it| (row, it)));
        for ((row, column), value) in cells.zip(&map.values) {
            self.push(&quantity, row.clone().joined(column.clone()), *value);
        }
    }

    fn lines(&mut self, lines: &Lines) {
        let [quantity, low, high] = [&lines.quantity, "low", "high"].map(|it| self.of_any_fact(it));
        for series in &lines.series {
            for (layer, &value) in series.values.iter().enumerate() {
                let label = Some(self.of_any_fact(&series.name));
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
        let quantity = self.of_any_fact(&bars.quantity);
        for (nth, bar) in bars.bars.iter().enumerate() {
            let mut at = self.named(bar.pick, &bar.label);
            at.component = bars.parts.get(nth).map(|part| depth_name(*part).into());
            self.push(&quantity, (at, Place::default()), bar.value);
        }
    }

    /// The lightest edge first.
    fn graph(&mut self, graph: &Graph) {
        let quantity = self.of_any_fact(&graph.quantity);
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
        let columns: Vec<Arc<str>> = table.columns.iter().map(|it| self.of_any_fact(it)).collect();
        for row in &table.rows {
            let mut texts: Vec<String> = row.cells.iter().filter_map(Cell::text).collect();
            // Of several rows of numbers alone, such as steps, each is called by its first number.
            if texts.is_empty()
                && row.pick == Pick::default()
                && table.rows.len() > 1
                && let (Some(column), Some(cell)) = (columns.first(), row.cells.first())
                && let Some(number) = cell.number()
            {
                texts.push(format!("{column} {number}"));
            }
            let at = self.named(row.pick, &texts.join(" · "));
            for (column, cell) in columns.iter().zip(&row.cells) {
                if let Some(value) = cell.number() {
                    self.push(column, (at.clone(), Place::default()), value);
                }
            }
        }
    }

    /// The places along a side.
    fn places(&self, side: &Side) -> Vec<Place> {
        let place = |(key, label): (&Key, &String)| {
            let none = Place::default();
            match *key {
                Key::Layer(layer) => Place { layer: Some(layer), ..none },
                Key::Head(head) => Place { head: Some(head), ..none },
                Key::Position { pos, role } => Place { position: Some(pos), role, ..none },
                Key::Role(role) => Place { role: Some(role), ..none },
                Key::Component(part) => component(part),
                Key::Width(_) | Key::Label => {
                    Place { label: Some(self.of_any_fact(label)), ..none }
                }
            }
        };
        side.keys.iter().zip(&side.labels).map(place).collect()
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
            label: (pick.position.is_none() && !label.is_empty()).then(|| self.of_any_fact(label)),
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
