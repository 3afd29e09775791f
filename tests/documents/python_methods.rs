//! `python/factscope/_methods.py`, a method for each command, is what the commands say of themselves.
//!
//! `UPDATE_DOCUMENTS=1` writes it anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{at_the_top, output_of};

const FILE: &str = "python/factscope/_methods.py";
const WIDTH: usize = 100;

/// What the package says itself: `json` always, and where figures and files go by `Result.save`.
const SAID_BY_THE_PACKAGE: [&str; 9] = [
    "json",
    "figure",
    "figure-scale",
    "figure-width",
    "figure-chart",
    "figure-tokens",
    "no-caption",
    "save-spec",
    "save-session",
];

/// Words of Python, and what stands for them.
const WORDS: [&str; 8] = ["from", "global", "if", "import", "in", "is", "lambda", "with"];

const HEAD: &str = r#""""The commands of the program as methods. Written by a test; do not change it by hand.

`UPDATE_DOCUMENTS=1 tests/run.sh --test documents` writes it anew from `factscope serve --describe`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Mapping, Sequence, Union

if TYPE_CHECKING:
    from ._result import Result

Path = Union[str, "os.PathLike[str]"]
# A spec is a file, or what `Result.spec` holds.
Spec = Union[Path, Mapping[str, Any]]


class _Asked:
    def _ask(
        self,
        command: str,
        kind: str,
        given: Mapping[str, Any],
        places: Sequence[Any] = (),
    ) -> Any:
        raise NotImplementedError
"#;

#[test]
fn every_command_is_a_method_of_python() {
    let described: Value = serde_json::from_str(&output_of("factscope serve --describe")).unwrap();
    let mut text = HEAD.to_owned();
    let classes = [
        ("Commands", "Commands that need no open model, or name their own.", false),
        ("Methods", "Commands that ask a model.", true),
    ];
    for (class, about, asks) in classes {
        _ = write!(text, "\n\nclass {class}(_Asked):\n    \"\"\"{about}\"\"\"\n");
        for command in described["commands"].as_array().unwrap() {
            // Other builds of the program lack `train`.
            if command["name"] != "train" && asks_a_model(command) == asks {
                method(command, &mut text);
            }
        }
    }
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(at_the_top(Path::new(FILE)), &text).unwrap();
    }
    let is = fs::read_to_string(at_the_top(Path::new(FILE))).unwrap_or_default();
    assert_eq!(
        is, text,
        "the commands are others than {FILE} says; UPDATE_DOCUMENTS=1 writes it anew"
    );
}

fn flags(command: &Value) -> &[Value] {
    command["flags"].as_array().unwrap()
}

fn said<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// A flag as an argument of Python.
struct Argument<'a> {
    flag: &'a Value,
    name: String,
}

impl<'a> Argument<'a> {
    fn of(flag: &'a Value) -> Self {
        let plain = said(flag, "name").replace('-', "_");
        let name = if WORDS.contains(&&*plain) { format!("{plain}_") } else { plain };
        Self { flag, name }
    }

    fn is_place(&self) -> bool {
        self.flag["flag"].is_null()
    }

    fn is_several(&self) -> bool {
        self.flag["is_several"] == true
    }

    fn is_required(&self) -> bool {
        self.flag["is_required"] == true
    }

    fn one(&self) -> String {
        let values = self.flag["values"].as_array().unwrap();
        if !values.is_empty() {
            let names: Vec<String> =
                values.iter().map(|it| format!("\"{}\"", said(it, "name"))).collect();
            return format!("Literal[{}]", names.join(", "));
        }
        if self.is_place() && self.name == "spec" {
            return "Spec".to_owned();
        }
        match said(self.flag, "kind") {
            "integer" => "int",
            "number" => "float",
            "path" => "Path",
            "switch" => "bool",
            _ => "str",
        }
        .to_owned()
    }

    /// The argument as Python declares it in a signature.
    fn declared(&self) -> String {
        let (name, one) = (&self.name, self.one());
        match (self.is_several(), self.is_required()) {
            (true, _) if self.is_place() => format!("*{name}: {one}"),
            _ if said(self.flag, "kind") == "switch" => format!("{name}: bool = False"),
            (true, true) => format!("{name}: Sequence[{one}]"),
            (true, false) => format!("{name}: Sequence[{one}] = ()"),
            (false, true) => format!("{name}: {one}"),
            (false, false) => format!("{name}: {one} | None = None"),
        }
    }

    /// What the docstring says of it.
    fn described(&self) -> String {
        let mut text = said(self.flag, "help").replace('\\', "\\\\");
        for value in self.flag["values"].as_array().unwrap() {
            if let Some(help) = value["help"].as_str() {
                _ = write!(text, "\n``{}``: {help}", said(value, "name"));
            }
        }
        let default = self.flag["default"].as_array().unwrap();
        let default: Vec<&str> = default.iter().filter_map(Value::as_str).collect();
        if !default.is_empty() {
            _ = write!(text, "\n[default: {}]", default.join(", "));
        }
        text
    }
}

fn method(command: &Value, text: &mut String) {
    let name = said(command, "name").replace([' ', '-'], "_");
    let all: Vec<Argument<'_>> = flags(command)
        .iter()
        .filter(|it| {
            let is_of_package = SAID_BY_THE_PACKAGE.contains(&said(it, "name"));
            // `--out` of a result goes the way of `Result.save`; pairs of words have no argument.
            let is_result = it["value_name"] == "FILE.json" && it["name"] == "out";
            !is_of_package && !is_result && it["n_values"] == 1
        })
        .map(Argument::of)
        .filter(|it| it.name != "model" || !asks_a_model(command))
        .collect();
    let (first, rest): (Vec<_>, Vec<_>) =
        all.iter().partition(|it| it.is_place() || it.name == "prompt");
    let (kind, returns) = if has(command, "--figure") {
        ("result", "Result")
    } else if has(command, "--json") {
        ("json", "Any")
    } else {
        ("text", "str")
    };
    _ = writeln!(text, "\n    def {name}(\n        self,");
    for it in &first {
        _ = writeln!(text, "        {},", it.declared());
    }
    if !rest.is_empty() && !first.iter().any(|it| it.is_place() && it.is_several()) {
        text.push_str("        *,\n");
    }
    for it in &rest {
        _ = writeln!(text, "        {},", it.declared());
    }
    _ = writeln!(text, "    ) -> {returns}:");
    let about = format!("{}.", said(command, "about").trim_end_matches('.'));
    _ = writeln!(text, "        \"\"\"{}", wrapped(&about, 8).trim_start());
    if !all.is_empty() {
        text.push_str("\n        Parameters\n        ----------\n");
        for it in first.iter().chain(&rest) {
            _ = writeln!(text, "        {}", it.name);
            for line in it.described().lines() {
                _ = writeln!(text, "{}", wrapped(line, 12));
            }
        }
    }
    text.push_str("        \"\"\"\n");
    _ = writeln!(text, "        given = {{");
    for it in all.iter().filter(|it| !it.is_place()) {
        _ = writeln!(text, "            \"{}\": {},", said(it.flag, "flag"), it.name);
    }
    if asks_a_model(command) {
        text.push_str("            \"--model\": None,\n");
    }
    text.push_str("        }\n");
    let places: Vec<String> = all
        .iter()
        .filter(|it| it.is_place())
        .map(|it| if it.is_several() { format!("*{}", it.name) } else { it.name.clone() })
        .collect();
    let command = said(command, "name");
    if places.is_empty() {
        _ = writeln!(text, "        return self._ask(\"{command}\", \"{kind}\", given)");
    } else {
        let places = places.join(", ");
        _ = writeln!(
            text,
            "        return self._ask(\"{command}\", \"{kind}\", given, [{places}])"
        );
    }
}

/// Whether a command asks the model that is open. Others, such as `verify`, may name one as well.
fn asks_a_model(command: &Value) -> bool {
    has(command, "--model") && has(command, "--process")
}

fn has(command: &Value, flag: &str) -> bool {
    flags(command).iter().any(|it| it["flag"] == flag)
}

/// A text in lines, each that far in.
fn wrapped(text: &str, n_in: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if n_in + line.chars().count() + 1 + word.chars().count() <= WIDTH {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    let lines: Vec<String> = lines.iter().map(|it| format!("{}{it}", " ".repeat(n_in))).collect();
    lines.join("\n")
}
