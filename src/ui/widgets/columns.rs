use eframe::egui::{Grid, Ui};

/// Things of a list one below the other, in two columns where one would be higher than a small screen.
pub fn in_columns_ui<T: Copy>(
    ui: &mut Ui,
    name: &str,
    items: &[T],
    mut item_ui: impl FnMut(&mut Ui, T),
) {
    /// What a laptop's screen has room for beside the rest of a menu.
    const MOST_ROWS: usize = 14;

    if items.len() <= MOST_ROWS {
        for item in items {
            item_ui(ui, *item);
        }
        return;
    }
    let n_rows = items.len().div_ceil(2);
    Grid::new(name).show(ui, |ui| {
        for row in 0..n_rows {
            for item in items.iter().skip(row).step_by(n_rows) {
                item_ui(ui, *item);
            }
            ui.end_row();
        }
    });
}
