//! What the model writes, token by token.

use super::Look;
use crate::analysis::generation::{Choice, Generation, Stopped};
use crate::figure::words::counted;
use crate::figure::{Cell, Chart, Figure, Pick, Row, Table};

pub(super) fn figure(it: &Generation, look: &Look<'_>) -> Figure {
    // Greedily the likeliest is the only candidate each time, and is drawn for certain.
    let is_drawn = matches!(it.spec.choice, Choice::Sample { .. });
    let rows = it.tokens.iter().enumerate().map(|(nth, token)| {
        let position = it.prompt.n_pos() + nth;
        let mut cells = vec![
            Cell::Number(position as f32),
            Cell::Token(look.token(token.id)),
            Cell::Number(token.prob),
            Cell::Number(token.logit),
        ];
        if is_drawn {
            let of_draw = [token.drawn_with as f32, token.n_candidates as f32];
            cells.extend(of_draw.map(Cell::Number));
        }
        Row::new(cells).about(Pick { position: Some(position), ..Pick::default() })
    });
    let mut columns = vec!["Position", "Token", "Probability", "Logit"];
    if is_drawn {
        columns.extend(["Drawn at probability", "Candidates"]);
    }
    let table = Table::new("Tokens", columns, rows);
    let ids: Vec<u32> = it.tokens.iter().map(|token| token.id).collect();
    let how = match it.spec.choice {
        Choice::Greedy => "The likeliest token each time".to_owned(),
        Choice::Sample { temperature, top_k, top_p, seed } => {
            let top_k = top_k.map_or_else(String::new, |k| format!("  ·  top-k {k}"));
            let top_p = top_p.map_or_else(String::new, |p| format!("  ·  top-p {p}"));
            format!("Drawn at temperature {temperature}{top_k}{top_p}  ·  seed {seed}")
        }
    };
    let n = counted(it.spec.n_tokens, "token");
    let until = it.spec.end.map(|end| format!(", or until {}", look.token(end)));
    let until = format!("{n} asked for{}", until.unwrap_or_default());
    let text = format!("{}{}", it.prompt.text, look.tokenizer.readable_text(&ids));
    let mut notes = vec![format!("{how}  ·  {until}")];
    notes.extend(match it.stopped {
        Some(Stopped::Context) => Some("The model takes no more tokens".to_owned()),
        Some(Stopped::End) => Some("The text has ended".to_owned()),
        Some(Stopped::Length) | None => None,
    });
    Figure {
        title: format!("What the model writes — {}", counted(it.tokens.len(), "token")),
        text,
        charts: vec![Chart::Table(table)],
        notes,
        ..Figure::default()
    }
}
