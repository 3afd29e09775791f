//! The menu of the numbers at the ends of a map's colours, which other maps can share.

use eframe::egui::{Popup, PopupCloseBehavior, Response, Ui};

use super::number_field;
use crate::figure::of_any_fact;

/// The ends of a map's colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorRange {
    pub ends: (f32, f32),

    /// Whether all maps of the quantity share these ends, and not only this map has them.
    pub is_held: bool,
}

/// The ends that are to be held, or `None` to let each map have its own.
pub type NewRange = Option<(f32, f32)>;

impl ColorRange {
    /// Opens with a click on the colour bar.
    pub(super) fn menu(self, bar: &Response, quantity: &str) -> Option<NewRange> {
        self.show(Popup::menu(bar), quantity)
    }

    /// Opens with a right click on the map.
    pub(super) fn context_menu(self, map: &Response, quantity: &str) -> Option<NewRange> {
        self.show(Popup::context_menu(map), quantity)
    }

    fn show(self, popup: Popup<'_>, quantity: &str) -> Option<NewRange> {
        let popup = popup.close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        popup.show(|ui| self.items_ui(ui, quantity))?.inner
    }

    fn items_ui(self, ui: &mut Ui, quantity: &str) -> Option<NewRange> {
        let mut new = None;
        let name = of_any_fact(quantity);
        ui.strong(format!("Colours of {name}"));
        let (mut low, mut high) = self.ends;
        let speed = f64::from((high - low).abs().max(1e-6)) / 100.0;
        let mut is_changed = false;
        ui.horizontal(|ui| {
            for (text, value) in [("From", &mut low), ("to", &mut high)] {
                let label = ui.label(text);
                let drag = number_field(value).speed(speed).max_decimals(6);
                let drag = ui.add(drag).labelled_by(label.id);
                let about = "Held for all maps of this quantity once it is set";
                is_changed |= drag.on_hover_text(about).changed();
            }
        });
        if is_changed {
            new = Some(Some((low, high)));
        }
        let mut is_held = self.is_held;
        let text = "The same in all maps of it";
        let about = "Of every fact, model and view, and in what is exported: the same colour then \
                     stands for the same number. Values outside have the colours of the ends";
        if ui.checkbox(&mut is_held, text).on_hover_text(about).changed() {
            new = Some(is_held.then_some(self.ends));
        }
        new
    }
}
