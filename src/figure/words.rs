//! How readings, tokens and places are called: the same in the window and in files.

use super::number::significant;
use crate::analysis::attention::Weighting;
use crate::analysis::attribution_patching::BasePoint;
use crate::analysis::causal_trace::{self, CausalTrace, Severed};
use crate::analysis::{Measurement, Metric, Positions};
use crate::tokens::{Answer, Bos, TokenizedPrompt, visible};

/// As it begins a line: errors are written to follow a colon, and on screen they stand alone.
pub fn capitalized(text: &impl ToString) -> String {
    let text = text.to_string();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
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

/// What its colours stand for.
pub fn attention_quantity(weighting: Weighting) -> &'static str {
    match weighting {
        Weighting::Pattern => "Attention weight",
        Weighting::ValueWeighted => "Attention weight × norm of the value",
        Weighting::NormBased => "Norm of what is moved",
        Weighting::Rollout => "Attention rolled out",
    }
}

/// How one query's weight is spread. `pattern`: of one head, `[query, key]`. The last token's where
/// `query` is none.
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

/// What must be known to read it.
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

/// What is held in a trace, and in how many layers. Nothing if nothing is.
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

/// What that means, in a sentence.
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

/// The same of a prompt, whether or not it has one.
pub fn answer_piece(prompt: &TokenizedPrompt) -> String {
    prompt.answer.as_ref().map_or_else(|| "answer".to_owned(), first_piece)
}

/// Whether there is more to it than its first token.
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

/// The same of several prompts, each with its own answer.
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

/// The metric if a run has it, else the probability of the answer's first token.
pub fn metric_or_prob(metric: Metric, clean: &Measurement) -> Metric {
    if clean.get(metric).is_some() { metric } else { Metric::Prob }
}

/// A reading as it is told: ranks count from 1 here.
pub fn told(metric: Metric, value: f32) -> f32 {
    if metric == Metric::Rank { value + 1.0 } else { value }
}

/// The same with four digits, if there is one.
pub fn reading(metric: Metric, value: Option<f32>) -> String {
    value.map_or_else(|| "not computed".to_owned(), |value| significant(told(metric, value), 4))
}

/// Token number and text.
pub fn token_at(pos: usize, prompt: &TokenizedPrompt) -> String {
    let piece = prompt.pieces.get(pos).map(|piece| visible(piece)).unwrap_or_default();
    format!("token {pos} {piece}")
}

/// In a sentence: “at the subject”.
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

/// In a list: “subject”, and single tokens by their text.
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

/// What was asked, with the tokens that numbers are about.
pub fn prompt(prompt: &TokenizedPrompt) -> String {
    let text = prompt.text.replace('\n', "↩");
    let answer = prompt.answer.as_ref().map(|it| format!("  ·  answer {}", visible(&it.text)));
    let foil = prompt.foil.as_ref().map(|it| format!("  ·  foil {}", visible(&it.text)));
    let bos = match prompt.bos {
        Bos::On => "  ·  BOS before it",
        Bos::Off => "",
    };
    format!("Prompt “{text}”{bos}{}{}", answer.unwrap_or_default(), foil.unwrap_or_default())
}

/// What an answer of several tokens is measured by.
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
/// estimates was taken. Nothing if all of it is there.
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
    let n = clean.rank;
    let tokens = if n == 1 { "token is" } else { "tokens are" };
    let answer = answer_piece(prompt);
    (n > 0).then(|| format!("Not the model's first guess: {n} {tokens} likelier than {answer}"))
}

/// Why a layer is set apart.
pub fn planted(layer: usize) -> String {
    format!("* layer {layer}: the fact was written into its MLP, and nowhere else")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_twice_is_told_by_its_position() {
        let pieces = ["The", " cat", " saw", " the", " cat"].map(str::to_owned).to_vec();
        let prompt = TokenizedPrompt { pieces, ..TokenizedPrompt::empty() };
        assert_eq!(token_labels(&prompt), ["The", "·cat 1", "·saw", "·the", "·cat 4"]);
    }
}
