//! Command lines: each asks what the experiment that it was made from asks.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use factscope::analysis::{
    AnalysisSpec, Needs, attention, attribution_difference, generation, logit_attribution, steering,
};
use factscope::experiment::{
    Experiment, FactSource, Library, TextFact, Written, command_line, quoted,
};
use factscope::facts::{Dataset, Fact};
use factscope::tokens::{Bos, TokenizedPrompt, Tokenizer};

use crate::every_analysis;
use crate::support::{fixture, prompt};

/// Forms whose ids are those of a text, and single layers.
fn more(tokenizer: &Tokenizer) -> Vec<AnalysisSpec> {
    let ids = |text: &str| {
        let fact = Fact::from_text(text, None).unwrap();
        TokenizedPrompt::new(tokenizer, &fact, Bos::Off).unwrap().ids
    };
    let second = attribution_difference::SecondRun::Prompt { ids: ids("it's in 'Lyon'").into() };
    vec![
        AnalysisSpec::AttributionDifference(attribution_difference::Spec {
            by: logit_attribution::Parts::Layers,
            second,
            scale_of: attribution_difference::ScaleOf::Corrupted,
            n_top: None,
        }),
        AnalysisSpec::Steering(steering::Spec {
            direction: steering::Direction::Prompts { plus: ids("-it is"), minus: ids("it") },
            layer: 1,
            positions: "1..3".parse().unwrap(),
            scale: -1.5,
            n_top: 3,
            asked: Vec::new(),
        }),
        AnalysisSpec::Attention(attention::Spec::all_heads(0..2)),
        AnalysisSpec::Attention(attention::Spec {
            weighting: attention::Weighting::Rollout,
            ..attention::Spec::all_heads(1..2)
        }),
        AnalysisSpec::Generation(generation::Spec {
            n_tokens: 3,
            choice: generation::Choice::Sample {
                temperature: 0.7,
                top_k: Some(5),
                top_p: None,
                seed: 2,
            },
            end: None,
        }),
    ]
}

#[test]
fn a_command_line_asks_what_its_experiment_asks() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("the spec.json");
    let bin = Path::new(env!("CARGO_BIN_EXE_factscope")).parent().unwrap();
    let tokenizer = Tokenizer::from_dir(&fixture("tiny")).unwrap();
    let library = Library::new(&tokenizer);
    let mut specs = every_analysis::specs(&prompt("In Paris it is", "Paris", Some("it")));
    specs.extend(more(&tokenizer));
    let mut said = BTreeSet::new();
    for spec in specs {
        let fact = if spec.needs() == Needs::Weights {
            FactSource::NoFact
        } else {
            FactSource::Text(TextFact {
                prompt: "In Paris it is".to_owned(),
                subject: Some("Paris".to_owned()),
                answer: Some("it".to_owned()),
                ..TextFact::default()
            })
        };
        let (model, bos, edits) = (fixture("tiny"), Bos::Off, Vec::new());
        let experiment = Experiment { model, bos, fact, edits, spec };
        let Some(line) = command_line(&experiment, &library) else { continue };
        assert_eq!(line.lines().count(), 1);
        let saved = quoted(file.to_str().unwrap());
        let script = format!("{line} --device cpu --save-spec {saved}");
        let output =
            Command::new("/bin/sh").args(["-c", &script]).env("PATH", bin).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {stderr}");
        let again = Written::load(&file).unwrap().resolve(&library, &file).unwrap();
        assert_eq!(again, experiment, "{line}");
        said.insert(experiment.spec.name());
    }
    // Their commands draw facts, look up answers or write texts, and a spec holds what came of it.
    let not_said: BTreeSet<&str> =
        AnalysisSpec::NAMES.iter().copied().filter(|it| !said.contains(it)).collect();
    let expected = ["corruption bench", "rank-one edit", "trace average"];
    assert_eq!(not_said.into_iter().collect::<Vec<_>>(), expected);
}

/// A small model, and a folder for what is asked of it.
struct Tiny {
    dir: tempfile::TempDir,
    tokenizer: Tokenizer,
}

impl Tiny {
    fn new() -> Self {
        let tokenizer = Tokenizer::from_dir(&fixture("tiny")).unwrap();
        Self { dir: tempfile::TempDir::new().unwrap(), tokenizer }
    }

    /// A command with these flags.
    fn line(flags: &str) -> String {
        let model = quoted(fixture("tiny").to_str().unwrap());
        let command = flags.replacen(' ', &format!(" --model {model} "), 1);
        format!("factscope {}", command.replace("--case", "--facts builtin --case"))
    }

    /// What a line asks.
    fn spec_of(&self, line: &str, name: &str) -> Experiment {
        let bin = Path::new(env!("CARGO_BIN_EXE_factscope")).parent().unwrap();
        let file = self.dir.path().join(name);
        let script = format!("{line} --save-spec {}", quoted(file.to_str().unwrap()));
        let output =
            Command::new("/bin/sh").args(["-c", &script]).env("PATH", bin).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        let library = Library::new(&self.tokenizer);
        Written::load(&file).unwrap().resolve(&library, &file).unwrap()
    }

    /// The line of what these flags ask asks it again, and says so in these words.
    fn asks_the_same(&self, flags: &str, says: &str) {
        let experiment = self.spec_of(&Self::line(flags), "asked.json");
        let library = Library::new(&self.tokenizer).with(Some(Arc::new(Dataset::bundled())));
        let line = command_line(&experiment, &library).unwrap_or_else(|| panic!("{flags}"));
        assert!(line.contains(says), "{line}");
        assert_eq!(self.spec_of(&line, "again.json"), experiment, "{line}");
    }
}

/// The command lines of averages, of comparisons and benches of a dataset's fact, and of edits: the settings of the
/// window's views, and the commands' own defaults.
#[test]
fn the_command_line_of_an_average_a_comparison_a_bench_or_an_edit_asks_the_same() {
    let tiny = Tiny::new();
    let same = |flags: &str, says: &str| tiny.asks_the_same(flags, says);
    let asked = "--answer Cairo --second-answer Egypt --mapped prompts";
    for (flags, says) in [
        ("average --n 3", "--facts-seed 1 --n 3"),
        ("average --n 4 --facts-seed 7 --relation P36 --kind mlp,attn --bos", "--relation P36"),
        ("average --n 2 --inverse --keep-unknown --shared-draws --window 1", "--inverse"),
        ("average --n 2 --corruption uniform --samples 3 --seed 4 --sever mlp", "--sever mlp"),
        ("average --n 2 --kind hidden --corruption mean --direction noise", "--direction noise"),
    ] {
        same(flags, says);
    }
    let usual = "--map mlp";
    for (flags, says) in [
        ("bench --case 2 --samples 2 --corruptions zero,str,resample,mean", "--corruptions zero,"),
        ("bench --case 2 --kind hidden --corruptions gaussian --sever mlp", "--sever mlp"),
        ("bench --case 2 --corruptions random-tokens --window 1,3", "--window 1,3"),
        ("edit --prompt 'Paris is in' --subject Paris --target it --layer 1 --steps 2", "--kl "),
        (
            "edit --prompt 'Paris is in' --subject Paris --answer a --target it --layer 0",
            "--answer a",
        ),
    ] {
        same(flags, says);
    }
    for (flags, says) in [
        (usual, "--mapped likeliest"),
        (&*format!("{asked} --map attribution --top 3"), "--second-answer Egypt --mapped prompts"),
        (&*format!("{asked} --one-answer second"), "--one-answer second"),
        ("--one-answer fact,second --bos --map attn --window 1", "--one-answer fact,second"),
        ("--map hidden --corruption uniform --samples 3 --seed 4", "--corruption uniform"),
        ("--map mlp --noise-rng chacha --direction noise --noise 0.1", "--direction noise"),
        ("--map ablation --metric log-prob --other-case 3", "--other-case 3"),
        (
            "--inverse-prompt 'Cairo is it' --inverse-subject Cairo",
            "--inverse-prompt 'Cairo is it'",
        ),
    ] {
        same(&format!("compare --case 2 {flags}"), says);
    }

    let asked = |flags: &str| tiny.spec_of(&Tiny::line(flags), "asked.json");
    let AnalysisSpec::Comparison(mut spec) = asked("compare --case 2").spec else {
        panic!("another analysis")
    };
    spec.right[0] = vec![1];
    let experiment = Experiment { spec: spec.into(), ..asked("compare --case 2") };
    let library = Library::new(&tiny.tokenizer);
    assert_eq!(command_line(&experiment, &library), None, "no flag names other right answers");
}

/// What is typed has no dataset of its own, and the window measures its noise on that which is open.
#[test]
fn the_command_line_of_a_typed_fact_names_the_dataset_whose_subjects_are_meant() {
    let tiny = Tiny::new();
    let same = |flags: &str, says: &str| tiny.asks_the_same(flags, says);
    let typed = "--prompt 'Paris is in' --subject Paris --answer it";
    let inverse = "--inverse-prompt 'It is in Paris' --inverse-subject Paris";
    for (flags, says) in [
        (&*format!("{inverse} --second-answer a"), "--inverse-subject Paris --second-answer a"),
        (&*format!("{inverse} --one-answer fact --subjects-of builtin"), "--subjects-of builtin"),
        ("--other-prompt 'Rome is in' --other-subject Rome --map ablation", "--other-subject Rome"),
        ("--other-prompt 'Rome is' --map attribution --top 2", "--other-prompt 'Rome is'"),
    ] {
        same(&format!("compare {typed} {flags}"), says);
    }
    for command in [
        "trace --subjects-of builtin --kind mlp",
        "trace --subjects-of builtin --kind mlp --corruption mean",
        "trace --subjects-of builtin --kind mlp --corruption random-subject --samples 2",
        "bench --subjects-of builtin --corruptions gaussian,mean",
        "atp --subjects-of builtin --kind attn",
        "attribute --by heads --subjects-of builtin --minus-noise 3s",
        "attribute --by heads --subjects-of builtin --minus-corruption gaussian",
    ] {
        same(&format!("{command} {typed}"), "--subjects-of builtin");
    }
}

#[test]
fn a_shell_reads_a_quoted_word_as_it_was() {
    for word in ["", "plain", "two words", "it's", "$HOME `x` \\ \"y\" *", "-x", "Zürich\nis"] {
        let script = format!("printf %s {}", quoted(word));
        let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
    }
}
