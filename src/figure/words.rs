//! The names of readings, tokens, places and settings, the same in the window and in files.

use flate2::Crc;
use serde::Serialize;

use super::number::{significant, with_thousands};
use crate::analysis::attention::Weighting;
use crate::analysis::attribution_patching::BasePoint;
use crate::analysis::causal_trace::{self, CausalTrace, Severed};
use crate::analysis::{Measurement, Metric, Positions};
use crate::tokens::{Answer, Bos, TokenizedPrompt, visible};

/// Text that begins a line: errors are written to follow a colon, and on screen they stand alone.
pub fn capitalized(text: &impl ToString) -> String {
    let text = text.to_string();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}

/// A count with its noun: “1 fact”, “2 facts”.
pub fn counted(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", with_thousands(n as u64))
}

/// “The likeliest token”, “The 3 likeliest tokens”.
pub fn likeliest(n: usize) -> String {
    match n {
        1 => "The likeliest token".to_owned(),
        n => format!("The {n} likeliest tokens"),
    }
}

/// A list that is too long to be named, by its count and checksum: “100 prompts #1a2b3c4d”.
///
/// # Panics
///
/// Never: lists of tokens, prompts and facts are JSON.
pub fn listed_as(list: &[impl Serialize], noun: &str) -> String {
    format!("{} {}", counted(list.len(), noun), checksum(list))
}

/// A checksum (CRC-32) that tells a list from others: “#1a2b3c4d”.
///
/// # Panics
///
/// Never: what a spec holds is JSON.
pub fn checksum(list: &(impl Serialize + ?Sized)) -> String {
    let bytes = serde_json::to_vec(list).expect("what a spec holds is JSON");
    let mut crc = Crc::new();
    crc.update(&bytes);
    format!("#{:08x}", crc.sum())
}

/// Names in a sentence: “a”, “a and b”, “a, b and c”.
pub fn joined(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [name] => name.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What a map of attention is called.
pub fn attention_title(weighting: Weighting) -> &'static str {
    match weighting {
        Weighting::Pattern => "Attention pattern",
        Weighting::ValueWeighted => "Value-weighted attention",
        Weighting::NormBased => "Norm-based attention",
        Weighting::Rollout => "Attention rollout",
    }
}

/// What the colours of a map of attention stand for.
pub fn attention_quantity(weighting: Weighting) -> &'static str {
    match weighting {
        Weighting::Pattern => "Attention weight",
        Weighting::ValueWeighted => "Attention weight × norm of the value",
        Weighting::NormBased => "Norm of what is moved",
        Weighting::Rollout => "Attention rolled out",
    }
}

/// How a query's attention is spread, the last token's where `query` is `None`. `pattern`: of one head,
/// `[query, key]`.
pub fn attention_spread(prompt: &TokenizedPrompt, pattern: &[f32], query: Option<usize>) -> String {
    let n_pos = prompt.n_pos();
    let query = query.filter(|&pos| pos < n_pos).unwrap_or_else(|| prompt.last());
    let weights = &pattern[query * n_pos..(query + 1) * n_pos];
    let mut parts = Vec::new();
    if let Some(subject) = &prompt.subject
        && let Some(of_subject) = weights.get(subject.clone())
    {
        let sum: f32 = of_subject.iter().sum();
        let mean = sum / of_subject.len() as f32;
        let (sum, mean) = (significant(sum, 3), significant(mean, 3));
        parts.push(format!("subject {sum} (mean {mean} a token)"));
    }
    let first = match prompt.bos {
        Bos::On => "BOS",
        Bos::Off => "first token",
    };
    parts.push(format!("{first} {}", significant(weights[0], 3)));
    parts.push(format!("itself {}", significant(weights[query], 3)));
    let from = token_at(query, prompt);
    let from = if query == prompt.last() { format!("the last {from}") } else { from };
    format!("From {from} to {}", parts.join("  ·  "))
}

/// What must be known to read a map of attention.
pub fn about_attention(weighting: Weighting) -> &'static str {
    match weighting {
        Weighting::Pattern => {
            "* subject. Each row sums to 1; a token attends to itself and to those before it"
        }
        Weighting::ValueWeighted => {
            "* subject. Attention weight times the norm of the value at the key"
        }
        Weighting::NormBased => {
            "* subject. Norm of the vector that is moved, attention weight times value through W_O \
             (Kobayashi et al. 2020)"
        }
        Weighting::Rollout => {
            "* subject. Product of (A + I) / 2 over this layer and all below, A the mean of the \
             heads' patterns (Abnar & Zuidema 2020)"
        }
    }
}

/// How the small pictures of heads are coloured. `is_apart`: whether the first key has cells of its own.
pub fn about_head_pictures(weighting: Weighting, is_apart: bool) -> &'static str {
    match (weighting, is_apart) {
        (Weighting::ValueWeighted | Weighting::NormBased, _) => {
            "Small: the colours of each layer end at its own largest"
        }
        (_, true) => {
            "Small: each head's colours end at its largest weight but for the first key, on which many \
             heads rest: it is grey, darkest at 1"
        }
        (_, false) => {
            "Small: each head's colours end at its largest weight but for the first key, on which many \
             heads rest: it is left out"
        }
    }
}

/// What is held in a trace, and in how many layers. `None` if nothing is.
pub fn severed(sever: Option<Severed>, layers: Option<usize>) -> Option<String> {
    let outputs = match sever? {
        Severed::Mlp => "MLPs",
        Severed::Attn => "attention",
    };
    Some(match layers {
        None => format!("{outputs} severed"),
        Some(0) => return None,
        Some(1) => format!("{outputs} of 1 layer severed"),
        Some(n) => format!("{outputs} of {n} layers severed"),
    })
}

/// What the outputs that a trace holds mean, in a sentence. `None` if it holds none.
pub fn about_severed(spec: &causal_trace::Spec) -> Option<String> {
    let outputs = match spec.sever.filter(|_| spec.is_severed())? {
        Severed::Mlp => "MLP",
        Severed::Attn => "attention",
    };
    let (which, values) = match spec.direction {
        causal_trace::Direction::Denoise => ("restored", "corrupted"),
        causal_trace::Direction::Noise => ("corrupted", "clean"),
    };
    let (layers, source) = match spec.sever_layers {
        None => ("later layers".to_owned(), "(Meng et al. 2022, fig. 3)"),
        Some(1) => ("the next layer".to_owned(), "(all later ones in Meng et al. 2022, fig. 3)"),
        Some(n) => (format!("the next {n} layers"), "(all later ones in Meng et al. 2022, fig. 3)"),
    };
    let of = if spec.sever_layers == Some(1) { "'s" } else { "'" };
    Some(format!(
        "Severed: at the {which} token, {layers}{of} {outputs} outputs are held at their {values} \
         values {source}"
    ))
}

/// The tokens of a prompt, as they stand along an axis: with their position where one comes more than
/// once.
pub fn token_labels(prompt: &TokenizedPrompt) -> Vec<String> {
    let is_again = |piece: &String| prompt.pieces.iter().filter(|it| *it == piece).count() > 1;
    let label = |(nth, piece): (usize, &String)| {
        let place = if is_again(piece) { format!(" {nth}") } else { String::new() };
        format!("{}{place}", visible(piece))
    };
    prompt.pieces.iter().enumerate().map(label).collect()
}

/// The answer's first token: what most numbers are about.
pub fn first_piece(answer: &Answer) -> String {
    visible(&answer.pieces[0])
}

/// The first token of a prompt's answer, or the word “answer” where the prompt has none.
pub fn answer_piece(prompt: &TokenizedPrompt) -> String {
    prompt.answer.as_ref().map_or_else(|| "answer".to_owned(), first_piece)
}

/// Whether an answer has more than one token.
pub fn is_long(answer: Option<&Answer>) -> bool {
    answer.is_some_and(|answer| answer.ids.len() > 1)
}

/// A metric, with the tokens that it is about.
pub fn metric_name(metric: Metric, prompt: &TokenizedPrompt) -> String {
    let first = answer_piece(prompt);
    let foil = prompt.foil.as_ref().map_or_else(|| "foil".to_owned(), first_piece);
    let whole = prompt.answer.as_ref().map(|answer| visible(&answer.text));
    of_tokens(metric, &first, whole.as_deref().unwrap_or("answer"), &foil)
}

/// A metric of several prompts, each with its own answer.
pub fn metric_of_answers(metric: Metric) -> String {
    of_tokens(metric, "answer", "whole answer", "foil")
}

fn of_tokens(metric: Metric, first: &str, whole: &str, foil: &str) -> String {
    match metric {
        Metric::Prob => format!("p({first})"),
        Metric::AnswerProb => format!("p({whole})"),
        Metric::LogProb => format!("ln p({first})"),
        Metric::Logit => format!("logit({first})"),
        Metric::LogitDiff => format!("logit({first}) − logit({foil})"),
        Metric::Rank => format!("rank of {first}"),
        Metric::Kl => "KL from the clean run".to_owned(),
    }
}

/// Whether a quantity is relative to another that may be near zero: a change in percent, or the share of
/// an effect that comes back.
pub fn is_relative(quantity: &str) -> bool {
    quantity.ends_with("(%)") || quantity.to_lowercase().starts_with("recovery of ")
}

/// Whether a quantity can lie on both sides of zero, so that a mean of zero would be no effect:
/// probabilities, their logarithms, shares and ranks cannot.
pub fn has_sign(quantity: &str) -> bool {
    let unsigned =
        ["p(", "p with", "ln p(", "probability", "rank", "share", "kl ", "step", "length"];
    let quantity = quantity.to_lowercase();
    !unsigned.iter().any(|it| quantity.starts_with(it))
}

/// The chart of how an edit found its value, which says nothing of the model.
pub const DESCENT: &str = "Finding the value";

/// Whether a metric rises as the answer is lost.
pub fn rises(metric: Metric) -> bool {
    matches!(metric, Metric::Rank | Metric::Kl)
}

/// The metric if a run has it, else the probability of the answer's first token.
pub fn metric_or_prob(metric: Metric, clean: &Measurement) -> Metric {
    if clean.get(metric).is_some() { metric } else { Metric::Prob }
}

/// A reading as it is told: ranks count from 1 here.
pub fn told(metric: Metric, value: f32) -> f32 {
    if metric == Metric::Rank { value + 1.0 } else { value }
}

/// A reading as it is told, with four digits, or that there is none.
pub fn reading(metric: Metric, value: Option<f32>) -> String {
    value.map_or_else(|| "not computed".to_owned(), |value| significant(told(metric, value), 4))
}

/// Token number and text.
pub fn token_at(pos: usize, prompt: &TokenizedPrompt) -> String {
    let piece = prompt.pieces.get(pos).map(|piece| visible(piece)).unwrap_or_default();
    format!("token {pos} {piece}")
}

/// Positions in a sentence: “at the subject”.
pub fn at(positions: &Positions, prompt: &TokenizedPrompt) -> String {
    match positions {
        Positions::All => "at every token".to_owned(),
        Positions::Subject => "at the subject".to_owned(),
        Positions::NonSubject => "at the non-subject tokens before the last".to_owned(),
        Positions::Last => "at the last token".to_owned(),
        Positions::Only(range) if range.len() == 1 => {
            format!("at {}", token_at(range.start, prompt))
        }
        Positions::Only(range) => format!("at tokens {}–{}", range.start, range.end - 1),
    }
}

/// Positions in a list: “subject”, and single tokens by their text.
pub fn positions_name(positions: &Positions, prompt: &TokenizedPrompt) -> String {
    match positions {
        Positions::All => "all".to_owned(),
        Positions::Subject => "subject".to_owned(),
        Positions::NonSubject => "non-subject".to_owned(),
        Positions::Last => "last".to_owned(),
        Positions::Only(range) if range.len() == 1 => token_at(range.start, prompt),
        Positions::Only(range) => format!("tokens {}–{}", range.start, range.end - 1),
    }
}

/// The prompt as it was asked, with the tokens that numbers are about.
pub fn prompt(prompt: &TokenizedPrompt) -> String {
    let text = prompt.text.replace('\n', "↩");
    let answer = prompt.answer.as_ref().map(|it| format!("  ·  answer {}", visible(&it.text)));
    let foil = prompt.foil.as_ref().map(|it| format!("  ·  foil {}", visible(&it.text)));
    let bos = match prompt.bos {
        Bos::On => "  ·  BOS before it",
        Bos::Off => "",
    };
    let subject = prompt.subject_text();
    let subject = subject.map(|it| format!("  ·  subject {}", visible(&it)));
    let parts = [subject, answer, foil].map(Option::unwrap_or_default).concat();
    format!("Prompt “{text}”{bos}{parts}")
}

/// Says what an answer of several tokens is measured by. `None` for an answer of one.
pub fn long_answer(metric: Metric, prompt: &TokenizedPrompt) -> Option<String> {
    let answer = prompt.answer.as_ref().filter(|answer| answer.ids.len() > 1)?;
    let what = match metric {
        Metric::AnswerProb => "probability of all of them shown",
        _ => "first token shown",
    };
    let (text, n) = (visible(&answer.text), answer.ids.len());
    Some(format!("Answer {text} in {n} tokens: {what}"))
}

/// How far a trace is, and what stands in for the rest. `estimated`: where the gradient of the
/// estimates was taken. `None` if all cells are there.
pub fn computed(trace: &CausalTrace, estimated: Option<BasePoint>) -> Option<String> {
    let n_cells = trace.restored.values().len();
    let n_done = trace.restored.values().iter().filter(|runs| !runs.is_empty()).count();
    let rest = match estimated {
        None => "hatched are not",
        Some(BasePoint::Corrupted) => {
            "dotted are estimates from the gradient at the corrupted runs"
        }
        Some(BasePoint::Clean) => "dotted are estimates from the gradient at the clean run",
    };
    (n_done < n_cells).then(|| format!("{n_done} of {n_cells} cells computed; {rest}"))
}

/// A warning, if the model would not have said the answer.
pub fn not_first_guess(clean: &Measurement, prompt: &TokenizedPrompt) -> Option<String> {
    let answer = answer_piece(prompt);
    (clean.rank > 0).then(|| {
        format!("Not the model's first guess: {} likelier than {answer}", likelier(clean.rank))
    })
}

/// “1 token is”, “2 tokens are”.
pub fn likelier(rank: u32) -> String {
    let are = if rank == 1 { "is" } else { "are" };
    format!("{} {are}", counted(rank as usize, "token"))
}

/// A warning, if the corruption takes nothing away that could come back, or next to nothing. `name`: of
/// the metric. `total`: clean − corrupted. `clean`: the metric in the clean run, if it is known.
pub fn no_effect(name: &str, metric: Metric, total: f32, clean: Option<f32>) -> Option<String> {
    let (does, lost) = if rises(metric) { ("raise", -total) } else { ("lower", total) };
    let least = least_effect(metric, clean);
    if lost <= 0.0 {
        Some(format!(
            "Nothing to restore: the corruption does not {does} {name} (clean − corrupted is {})",
            significant(total, 3)
        ))
    } else if lost < least {
        Some(format!(
            "Next to nothing to restore: the corruption hardly {does}s {name}, by {}, less than {}",
            significant(lost, 3),
            significant(least, 2)
        ))
    } else {
        None
    }
}

/// The smallest total effect that leaves something to restore.
pub fn least_effect(metric: Metric, clean: Option<f32>) -> f32 {
    clean.map_or_else(|| metric.least_total(), |clean| metric.least_effect(clean))
}

/// Why a layer is set apart.
pub fn planted(layer: usize) -> String {
    format!("* layer {layer}: the fact was written into its MLP, and nowhere else")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_one_side_of_zero_is_told_by_its_name() {
        for unsigned in ["p(·Paris)", "p without these", "ln p(old) after", "Rank", "Share of new"]
        {
            assert!(!has_sign(unsigned), "{unsigned}");
        }
        for signed in ["Change of ln p without these", "Indirect effect", "Logit difference"] {
            assert!(has_sign(signed), "{signed}");
        }
    }
}
