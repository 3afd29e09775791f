//! The window's icon: a causal trace, five layers by five tokens.

use eframe::egui::IconData;

use super::theme::ColorMap;

/// Per row one token; ROME's two peaks, at the subject's last token and at the prompt's last.
const CELLS: [[f32; 5]; 5] = [
    [0.12, 0.12, 0.12, 0.12, 0.12],
    [0.55, 0.40, 0.20, 0.12, 0.12],
    [0.95, 1.00, 0.75, 0.35, 0.15],
    [0.12, 0.20, 0.30, 0.25, 0.12],
    [0.12, 0.15, 0.35, 0.70, 0.90],
];

/// Pixels.
const CELL: usize = 12;
const GAP: usize = 1;
const MARGIN: usize = 2;

pub fn icon() -> IconData {
    let n_cells = CELLS.len();
    let side = n_cells * CELL + 2 * MARGIN;
    let mut rgba = vec![0; side * side * 4];
    for (nth, pixel) in rgba.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let place = |at: usize| {
            let inside = at.checked_sub(MARGIN)?;
            let (cell, within) = (inside / CELL, inside % CELL);
            (cell < n_cells && within < CELL - GAP).then_some(cell)
        };
        if let (Some(row), Some(column)) = (place(nth / side), place(nth % side)) {
            *pixel = ColorMap::Purples.color(CELLS[row][column]).to_array();
        }
    }
    IconData { rgba, width: side as u32, height: side as u32 }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// The icon as a drawing, for desktops.
    fn svg() -> String {
        let side = CELLS.len() * CELL + 2 * MARGIN;
        let mut svg =
            format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\">\n");
        for (row, cells) in CELLS.iter().enumerate() {
            for (column, value) in cells.iter().enumerate() {
                let [x, y] = [column, row].map(|at| MARGIN + at * CELL);
                let side = CELL - GAP;
                let [red, green, blue, _] = ColorMap::Purples.color(*value).to_array();
                _ = writeln!(
                    svg,
                    "  <path fill=\"#{red:02x}{green:02x}{blue:02x}\" d=\"M{x} {y}h{side}v{side}h-{side}z\"/>"
                );
            }
        }
        svg + "</svg>\n"
    }

    #[test]
    fn desktops_show_the_icon_of_the_window() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/desktop/factscope.svg");
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            std::fs::write(&path, svg()).expect("a file of the project");
        }
        let there = std::fs::read_to_string(&path).expect("a file of the project");
        assert!(there == svg(), "UPDATE_DOCUMENTS=1 writes the icon anew");
    }
}
