//! Inverses of a many-to-one relation ask one and the same question, which counts once: simulated facts
//! whose means are known.

use factscope::analysis::Resampling;
use factscope::facts::{Dataset, Direction};
use factscope::figure::{Cell as TableCell, Chart, Figure, Table};
use factscope::population::{Cell, Fact, GroupBy, Manifest, Numbers, Population, Selection, Shown};

use super::populations::Random;

/// How many questions facts are asked as inverses.
const N_QUESTIONS: usize = 60;

/// The means of facts, of inverses, and of inverses less facts.
const TRUTH: [f64; 3] = [0.2, 0.5, 0.3];

fn manifest() -> Manifest {
    Manifest {
        spec: serde_json::Value::Null,
        spec_sha256: String::new(),
        method: "logit attribution".to_owned(),
        model: "builtin".to_owned(),
        model_sha256: String::new(),
        facts: Dataset::BUNDLED.into(),
        facts_sha256: String::new(),
        selection: Selection::default(),
        settings: serde_json::Value::Null,
        bound: Vec::new(),
        n_asked: 0,
        shard: None,
    }
}

fn asked(record: usize, direction: Direction, relation: usize, prompt: String) -> Fact {
    let direction = if direction == Direction::Forward { "fact" } else { "inverse" };
    Fact {
        record,
        direction: direction.to_owned(),
        case: record.to_string(),
        relation: Some(format!("P{relation}")),
        known: "both".to_owned(),
        left_out: None,
        prompt,
        answer: None,
    }
}

/// Facts of two relations, asked both ways. One to twelve of them share an inverse, whose numbers differ a
/// little, as they do where foils differ.
fn simulated(random: &mut Random) -> Population {
    let (mut facts, mut values) = (Vec::new(), Vec::new());
    for question in 0..N_QUESTIONS {
        let inverse = TRUTH[1] + random.normal();
        let n_facts = 1 + (12.0 * random.uniform().powi(3)) as usize;
        for _ in 0..n_facts {
            let (record, relation) = (facts.len(), question % 2);
            facts.push(asked(record, Direction::Forward, relation, format!("fact {record}")));
            values.push(TRUTH[0] + 0.5 * random.normal());
            facts.push(asked(record, Direction::Inverse, relation, format!("inverse {question}")));
            values.push(inverse + 0.1 * random.normal());
        }
    }
    let charts = vec![Numbers {
        chart: "Heads".to_owned(),
        quantity: "Contribution".to_owned(),
        measured: None,
        cells: vec![Cell { layer: Some(0), head: Some(0), ..Cell::default() }],
        values: vec![values],
        n_single: 0,
    }];
    Population { manifest: manifest(), facts, charts }
}

#[test]
fn what_is_left_out_or_infinite_is_told_with_its_chart() {
    let mut population = simulated(&mut Random(3));
    let told = |population: &Population| {
        let figure = population.figure(&Shown::default());
        [figure.warnings.join("\n"), figure.notes.join("\n")]
    };
    let [warnings, notes] = told(&population);
    assert!(
        !warnings.contains("infinite") && !notes.contains("only one fact"),
        "{warnings}{notes}"
    );
    population.charts[0].values[0][0] = f64::NEG_INFINITY;
    let [warnings, _] = told(&population);
    assert!(warnings.contains("Heads, Contribution: numbers of 1 fact are infinite"), "{warnings}");
    population.charts[0].n_single = 3;
    let [_, notes] = told(&population);
    assert!(notes.contains("because only one fact has each: 3 places of Heads"), "{notes}");
}

fn means(figure: &Figure) -> &Table {
    let table = figure.charts.iter().find_map(|chart| match chart {
        Chart::Table(table) if table.name.ends_with("largest means") => Some(table),
        _ => None,
    });
    table.unwrap()
}

/// The numbers of a group's row: the mean, the ends by standard errors and by the bootstrap, p, facts and
/// questions.
fn row(table: &Table, group: &str) -> Vec<f64> {
    let is_it = |it: &&factscope::figure::Row| matches!(&it.cells[0], TableCell::Text(name) if name == group);
    let row = table.rows.iter().find(is_it).unwrap();
    row.cells.iter().skip(2).map(|it| it.number().map_or(f64::NAN, f64::from)).collect()
}

/// 95 % intervals hold the true mean in 92 to 98 % of repetitions: of inverses, of inverses less facts, and
/// of inverses of one relation less those of another. Over facts, as if each asked a question of its own,
/// they would hold it far less often.
#[test]
fn intervals_over_shared_inverses_cover_what_they_say() {
    const N_TIMES: usize = 400;
    let mut random = Random(23);
    let mut covered = [[0; 2]; 4];
    let mut n_over_facts = 0;
    for seed in 0..N_TIMES as u64 {
        let found = simulated(&mut random);
        let resampling = Resampling { n_draws: 1000, n_permutations: 1, seed };
        let shown = Shown { resampling, ..Shown::default() };
        let ways = found.figure(&shown);
        let (by, direction) = (GroupBy::Relation, Some(Direction::Inverse));
        let relations = found.figure(&Shown { by, direction, ..shown });
        let rows = [
            (row(means(&ways), "fact"), TRUTH[0]),
            (row(means(&ways), "inverse"), TRUTH[1]),
            (row(means(&ways), "inverse − fact"), TRUTH[2]),
            (row(means(&relations), "P1 − P0"), 0.0),
        ];
        for (n, (row, truth)) in covered.iter_mut().zip(&rows) {
            n[0] += usize::from(row[1] <= *truth && *truth <= row[2]);
            n[1] += usize::from(row[3] <= *truth && *truth <= row[4]);
        }
        let n_facts = found.facts.len() / 2;
        for (row, n_questions) in rows.iter().zip([n_facts, N_QUESTIONS, N_QUESTIONS, N_QUESTIONS])
        {
            assert_eq!(row.0[6..], [n_facts as f64, n_questions as f64]);
        }
        let values = &found.charts[0].values[0];
        let inverses = values.iter().skip(1).step_by(2).copied().collect();
        let over_facts = resampling.means(&[inverses])[0];
        n_over_facts += usize::from(over_facts.low <= TRUTH[1] && TRUTH[1] <= over_facts.high);
    }
    for of_two in covered {
        for n in of_two {
            let share = n as f64 / N_TIMES as f64;
            // 92 to 98 %, as is asked of intervals; two standard errors of 400 repetitions are 2 %.
            assert!((0.92..=0.98).contains(&share), "{covered:?}");
        }
    }
    assert!(n_over_facts < N_TIMES * 4 / 5, "{n_over_facts} of {N_TIMES} over facts");
}

/// The mean of the facts of a question is one number, and a fact keeps its own inverse in a difference.
#[test]
fn facts_of_a_question_are_averaged_first() {
    let both = [Direction::Forward, Direction::Inverse];
    let prompts = ["a", "x", "b", "x", "c", "y"].map(str::to_owned);
    let facts = prompts.into_iter().enumerate();
    let facts: Vec<Fact> =
        facts.map(|(nth, prompt)| asked(nth / 2, both[nth % 2], 0, prompt)).collect();
    let charts = vec![Numbers {
        values: vec![vec![1.0, 4.0, 3.0, 6.0, 5.0, 11.0]],
        ..simulated(&mut Random(1)).charts.remove(0)
    }];
    let found = Population { manifest: manifest(), facts, charts };
    let figure = found.figure(&Shown::default());
    let row = |group| row(means(&figure), group);
    assert_eq!((row("fact")[0], &row("fact")[6..]), (3.0, &[3.0, 3.0][..]));
    // (4 + 6) / 2 = 5 of x, and 11 of y; 3 and 3 less their facts, and 6.
    assert_eq!((row("inverse")[0], &row("inverse")[6..]), (8.0, &[3.0, 2.0][..]));
    let difference = row("inverse − fact");
    assert_eq!((difference[0], &difference[6..]), (4.5, &[3.0, 2.0][..]));
    let text = figure.notes.join("\n");
    assert!(text.contains("2 facts ask 1 question between them"), "{text}");
    let counts = figure.charts.iter().find(|it| it.name() == "Facts").unwrap();
    let Chart::Table(counts) = counts else { panic!("counts are a table") };
    assert_eq!(counts.columns.last().map(|it| &**it), Some("Questions"));
}
