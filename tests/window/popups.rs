//! What opens over the window: menus, lists and dialogs. All of it is in sight or can be scrolled to, and
//! nothing moves away under the pointer.

use std::collections::BTreeSet;

use eframe::egui::accesskit::{NodeId, Role};
use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;

use super::accessible::described;
use super::fit::{id_of, with_all_results};
use super::support::Window;

/// Points that rounding may take.
const TOLERANCE: f32 = 1.0;

/// The smallest window in pixels, and the zooms at which it is looked at.
const ZOOMS: [f32; 2] = [1.0, 1.5];

impl Window {
    fn set_zoom(&mut self, zoom: f32) {
        self.harness.set_size(vec2(900.0, 600.0) / zoom);
        self.harness.run_steps(4);
    }

    fn ids(&self) -> BTreeSet<NodeId> {
        self.harness.root().children_recursive().map(|it| id_of(&it)).collect()
    }

    /// The items that were not there before.
    fn items(&self, before: &BTreeSet<NodeId>) -> Vec<NodeId> {
        let nodes = self.harness.root().children_recursive();
        let new = nodes.filter(|it| !before.contains(&id_of(it)) && is_item(it));
        new.map(|it| id_of(&it)).collect()
    }

    fn node(&self, id: NodeId) -> Option<Node<'_>> {
        self.harness.root().children_recursive().find(|it| id_of(it) == id)
    }

    /// Opens a menu of the window, and none in it. Returns its items.
    fn opens_menu(&mut self, menu: &str) -> Vec<NodeId> {
        self.harness.key_press(Key::Escape);
        self.harness.run_steps(3);
        let before = self.ids();
        self.harness.get_by_role_and_label(Role::Button, menu).click();
        self.harness.run_steps(2);
        // What is under the pointer would open by itself.
        self.harness.event(Event::PointerGone);
        self.harness.run_steps(2);
        let items = self.items(&before);
        // What is still measured of a fact may be told in a view meanwhile.
        let is_of_menu = |id: &NodeId| self.node(*id).is_some_and(|it| !is_in_view(it));
        items.into_iter().filter(is_of_menu).collect()
    }

    /// The items that are not in the window after they were scrolled to.
    fn hidden(&mut self, items: &[NodeId]) -> Vec<String> {
        let mut hidden = Vec::new();
        for &id in items {
            let Some(node) = self.node(id) else { continue };
            node.scroll_to_me();
            self.harness.run_steps(12);
            let window = self.harness.ctx.content_rect().expand(TOLERANCE);
            let node = self.node(id).unwrap();
            if !window.contains_rect(node.rect()) {
                hidden.push(format!("{} in {window:?}", described(&node)));
            }
        }
        hidden
    }

    /// Where the controls of a dialog are whose names are given.
    #[track_caller]
    fn places_of(&self, names: &[&str]) -> Vec<Rect> {
        let place = |name: &&str| {
            let named = self.harness.query_all_by_label(name);
            named.last().unwrap_or_else(|| panic!("no “{name}”")).rect()
        };
        names.iter().map(place).collect()
    }

    fn clicks_at(&mut self, pos: Pos2) {
        for pressed in [true, false] {
            let button = PointerButton::Primary;
            let modifiers = Modifiers::NONE;
            self.harness.event(Event::PointerMoved(pos));
            self.harness.event(Event::PointerButton { pos, button, pressed, modifiers });
        }
        self.harness.run_steps(3);
    }

    fn text_of(&self, field: &str) -> Option<String> {
        self.find_field(field)?.value()
    }
}

fn is_in_view(node: Node<'_>) -> bool {
    std::iter::successors(Some(node), Node::parent)
        .any(|it| it.accesskit_node().role() == Role::TabPanel)
}

fn is_item(node: &Node<'_>) -> bool {
    let data = node.accesskit_node();
    let is_control =
        matches!(data.role(), Role::Button | Role::CheckBox | Role::RadioButton | Role::Label);
    is_control && node.rect().is_positive()
}

#[test]
fn every_item_of_every_menu_is_in_sight_or_can_be_scrolled_to() {
    let mut window = with_all_results();
    // One row of tabs has one menu.
    window.alone(Pane::Trace);
    let mut wrong = Vec::new();
    for zoom in ZOOMS {
        window.set_zoom(zoom);
        for menu in ["File", "Edit", "View", "Facts", "Help", "Menu of these views"] {
            let items = window.opens_menu(menu);
            assert!(items.len() >= 2, "{menu} at {zoom}: {}", items.len());
            wrong.extend(window.hidden(&items));
            for submenu in ["Pick out", "Model beside", "Screenshot size", "Device"] {
                window.opens_menu(menu);
                if window.harness.query_by_label(submenu).is_none() {
                    continue;
                }
                window.harness.get_by_label(submenu).scroll_to_me();
                window.harness.run_steps(12);
                let before = window.ids();
                window.click(submenu);
                let items = window.items(&before);
                assert!(items.len() >= 2, "{submenu} at {zoom}: {}", items.len());
                wrong.extend(window.hidden(&items));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_item_of_every_list_is_in_sight_or_can_be_scrolled_to() {
    let mut window = with_all_results();
    window.does(Command::ShowMoreOfTrace(true));
    window.set_zoom(1.5);
    let (mut wrong, mut n_lists) = (Vec::new(), 0);
    for pane in Pane::ALL {
        window.alone(pane);
        let nodes = window.region(pane).children_recursive();
        let is_list = |it: &Node<'_>| {
            it.accesskit_node().role() == Role::ComboBox && !it.accesskit_node().is_disabled()
        };
        let lists: Vec<NodeId> = nodes.filter(is_list).map(|it| id_of(&it)).collect();
        for list in lists {
            let Some(node) = window.node(list) else { continue };
            node.scroll_to_me();
            window.harness.run_steps(12);
            let before = window.ids();
            window.node(list).unwrap().click();
            window.harness.run_steps(3);
            let items = window.items(&before);
            n_lists += usize::from(!items.is_empty());
            wrong.extend(window.hidden(&items).into_iter().map(|it| format!("{pane:?}: {it}")));
            window.harness.key_press(Key::Escape);
            window.harness.run_steps(3);
        }
    }
    assert!(n_lists > 20, "{n_lists}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Opens each dialog, and gives the name that stands on it.
const DIALOGS: [(Command, &str); 6] = [
    (Command::ExportOf(Pane::Trace), "Export figure"),
    (Command::TypePath, "Type a path"),
    (Command::ShowShortcuts, "Keyboard shortcuts"),
    (Command::ShowLicences, "Licences"),
    (Command::ShowPalette, "What do you want to do?"),
    (Command::Quit, "Close Factscope?"),
];

#[test]
fn every_dialog_is_in_sight_or_can_be_scrolled_through() {
    let mut window = with_all_results();
    window.does(Command::ForgetResults);
    window.does(Command::Trace);
    window.trace_ends();
    let mut wrong = Vec::new();
    for zoom in ZOOMS {
        window.set_zoom(zoom);
        for (command, name) in DIALOGS {
            let before = window.ids();
            window.does(command);
            window.harness.run_steps(3);
            window.sees(name);
            let items = window.items(&before);
            wrong.extend(window.hidden(&items).into_iter().map(|it| format!("{name}: {it}")));
            window.harness.key_press(Key::Escape);
            window.harness.run_steps(3);
            assert!(window.harness.query_by_label(name).is_none(), "{name} is left with Escape");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn buttons_of_a_dialog_stay_where_they_are_whatever_is_typed() {
    let mut window = Window::open();
    window.does(Command::Trace);
    window.trace_ends();
    let dir = window.dir.path().to_owned();
    for nth in 0..8 {
        window.file(&format!("found-{nth}.svg"), "");
    }
    let path = |name: &str| dir.join(name).display().to_string();
    let (fine, wrong) = (
        ["a.svg".to_owned(), path("a.svg"), path("found"), path("found-1.svg"), String::new()],
        [path("no folder/a.svg"), path("a.unknown"), path("found-2.svg")],
    );
    for (command, field, names) in [
        (Command::ExportOf(Pane::Trace), "File", &["Save", "Copy", "Cancel", "Choose…"][..]),
        (
            Command::TypePath,
            "Model, dataset, noise, experiment, sweep or session",
            &["Open", "Cancel"],
        ),
    ] {
        window.does(command);
        let places = window.places_of(names);
        for text in fine.iter().chain(&wrong) {
            window.retype(field, text);
            assert_eq!(window.places_of(names), places, "with {text:?} typed");
        }
        for text in &wrong {
            window.retype(field, text);
            window.click(names[0]);
            assert_eq!(window.text_of(field).as_ref(), Some(text));
            assert_eq!(window.places_of(names), places, "after an error about {text:?}");
        }
        window.harness.key_press(Key::Escape);
        window.harness.run_steps(3);
    }
}

#[test]
fn the_button_that_starts_stays_where_it_is_when_the_estimate_comes() {
    let mut window = Window::open();
    window.does(Command::Over(Pane::Trace));
    let names = ["Start", "Cancel"];
    let places = window.places_of(&names);
    window.wait("the estimate", |app| {
        app.state.many.asking.as_ref().is_some_and(|it| it.cost(1).is_some())
    });
    assert_eq!(window.places_of(&names), places);
}

/// Escape closes what is innermost, and a click outside loses nothing that was typed.
#[test]
fn what_is_typed_into_a_dialog_is_not_lost_by_chance() {
    let mut window = Window::open();
    window.does(Command::Trace);
    window.trace_ends();
    window.does(Command::ExportOf(Pane::Trace));
    window.retype("File", "mine.svg");
    window.clicks_at(Pos2::new(8.0, 700.0));
    assert_eq!(window.text_of("File").as_deref(), Some("mine.svg"));

    let before = window.ids();
    window.harness.get_by_role_and_label(Role::ComboBox, "Width").click();
    window.harness.run_steps(3);
    assert!(!window.items(&before).is_empty(), "the list is open");
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);
    assert!(window.items(&before).is_empty(), "the list is closed");
    assert_eq!(window.text_of("File").as_deref(), Some("mine.svg"));
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);
    assert_eq!(window.text_of("File"), None, "the dialog is left");
}

/// Keys that came in one frame, as from a person who types on while the machine is busy.
fn keys(window: &mut Window, events: Vec<Event>) {
    window.harness.input_mut().events.extend(events);
    window.harness.run_steps(12);
}

fn pressed(key: Key, modifiers: Modifiers) -> Event {
    Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
}

#[test]
fn what_is_typed_after_tab_is_for_the_next_field_however_busy_the_machine_is() {
    let mut window = Window::open();
    window.click("Type a fact");
    // It unfolds.
    window.harness.run_steps(8);
    window.field("Prompt").focus();
    window.harness.run_steps(2);
    let text = |text: &str| Event::Text(text.to_owned());
    keys(&mut window, vec![text("one"), pressed(Key::Tab, Modifiers::NONE), text("two")]);
    assert_eq!(window.text_of("Prompt").as_deref(), Some("one"));
    assert_eq!(window.text_of("Subject").as_deref(), Some("two"));
}

#[test]
fn what_is_typed_after_the_palettes_key_is_for_the_palette() {
    let mut window = Window::open();
    let search = "Search facts";
    window.type_into(search, "a");
    let text = |text: &str| Event::Text(text.to_owned());
    let palette = pressed(Key::K, Modifiers::COMMAND);
    keys(&mut window, vec![palette, text("d"), text("ark")]);
    assert_eq!(window.text_of("What do you want to do?").as_deref(), Some("dark"));
    assert_eq!(window.text_of(search).as_deref(), Some("a"));
    let palette = pressed(Key::K, Modifiers::COMMAND);
    let enter = pressed(Key::Enter, Modifiers::NONE);
    keys(&mut window, vec![palette, text("dark"), enter, text("b")]);
    assert_eq!(window.app().state.preferences.theme, factscope::ui::Theme::Dark);
}

#[test]
fn the_scroll_bar_of_a_menu_covers_none_of_its_items() {
    let mut window = with_all_results();
    window.set_zoom(1.5);
    let mut n_scrolled = 0;
    for menu in ["File", "View"] {
        let items = window.opens_menu(menu);
        // It has its height in the frame after the one in which it opens.
        window.harness.run_steps(6);
        let bars = window.harness.query_all_by_role(Role::ScrollBar).map(|it| it.rect());
        let items: Vec<Rect> =
            items.into_iter().filter_map(|it| Some(window.node(it)?.rect())).collect();
        let of_menu = bars.filter(|bar| {
            bar.height() > bar.width()
                && items.iter().any(|it| (bar.left() - it.right()).abs() < 30.0)
        });
        for bar in of_menu {
            n_scrolled += 1;
            let covered = items.iter().filter(|it| it.right() > bar.left() + TOLERANCE);
            assert_eq!(covered.count(), 0, "{menu}: {bar:?} over {items:?}");
        }
    }
    assert!(n_scrolled >= 2, "{n_scrolled}");
}

#[test]
fn a_tooltip_of_the_window_does_not_lie_over_a_dialog() {
    let mut window = Window::open();
    let is_told = |window: &Window| {
        window.harness.query_by_label_contains("the token that begins a text").is_some()
    };
    window.harness.get_by_role_and_label(Role::ComboBox, "BOS").hover();
    window.harness.run_steps(60);
    assert!(is_told(&window));
    keys(&mut window, vec![pressed(Key::K, Modifiers::COMMAND)]);
    assert!(window.find_field("What do you want to do?").is_some());
    assert!(!is_told(&window));
}
