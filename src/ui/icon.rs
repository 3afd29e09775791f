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
