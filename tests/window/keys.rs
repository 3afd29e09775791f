//! What the keyboard does: everything by name, and a way back.

use eframe::egui::accesskit::{Action, Role, Toggled};
use eframe::egui::{Key, Modifiers};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::causal_trace::Component;
use factscope::tokens::Bos;
use factscope::ui::pane::{Pane, View};
use factscope::ui::state::{FactId, JobKind};
use factscope::ui::view::Selection;

use super::support::Window;

impl Window {
    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(3);
    }
}

const COMMAND_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

#[test]
fn a_command_is_found_by_its_name() {
    let mut window = Window::open();
    window.press(Modifiers::COMMAND, Key::K);
    window.sees("What do you want to do?");
    window.type_into("What do you want to do?", "close attr");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(!window.app().workspace().is_open(View::Attribution));

    window.press(Modifiers::COMMAND, Key::P);
    window.type_into("What do you want to do?", "no such thing");
    window.sees("Nothing is called so");
    window.press(Modifiers::NONE, Key::Escape);
    assert!(
        window.harness.state().workspace().is_open(View::Trace),
        "a palette that is left does nothing"
    );

    // Down to the second that is called so, and up again.
    window.press(Modifiers::COMMAND, Key::K);
    window.type_into("What do you want to do?", "show");
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.app().workspace().is_in_front(Pane::ALL[1]));
}

#[test]
fn choices_and_settings_are_taken_back_and_done_again() {
    let mut window = Window::open();
    let start = window.app().state.selected;
    window.press(Modifiers::COMMAND, Key::ArrowDown);
    let second = window.app().state.selected;
    assert_eq!((start, second), (Some(FactId::Record(0)), Some(FactId::Record(1))));
    window.click("MLP");
    assert_eq!(window.app().state.settings.trace.component, Component::Mlp);

    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.app().state.settings.trace.component, Component::Hidden);
    assert_eq!(window.app().state.selected, second);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.app().state.selected, start);
    assert!(window.app().state.can_redo());
    window.press(COMMAND_SHIFT, Key::Z);
    window.press(COMMAND_SHIFT, Key::Z);
    assert_eq!(window.app().state.selected, second);
    assert_eq!(window.app().state.settings.trace.component, Component::Mlp);

    // What is done after going back takes the place of what was taken back.
    window.press(Modifiers::COMMAND, Key::Z);
    window.click("Hidden state");
    window.press(Modifiers::COMMAND, Key::ArrowUp);
    assert!(!window.app().state.can_redo());
    assert_eq!(window.app().state.selected, start);
}

#[test]
fn layer_head_and_token_are_stepped_through() {
    let mut window = Window::open();
    window.press(Modifiers::NONE, Key::CloseBracket);
    window.press(Modifiers::NONE, Key::CloseBracket);
    window.press(Modifiers::NONE, Key::Comma);
    window.press(Modifiers::NONE, Key::ArrowLeft);
    window.press(Modifiers::NONE, Key::ArrowLeft);
    let info = window.app().state.info().unwrap();
    let n_pos = window.app().state.prompt().unwrap().n_pos();
    let n_heads = info.config.n_heads;
    let picked = window.app().state.selection;
    assert_eq!(
        (picked.layer, picked.head, picked.position),
        (Some(1), Some(n_heads - 1), Some(n_pos - 2))
    );
    // There is no way round the end.
    for _ in 0..3 {
        window.press(Modifiers::NONE, Key::OpenBracket);
    }
    assert_eq!(window.app().state.selection.layer, Some(0));
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(window.app().state.selection, Selection::default());
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.app().state.selection.layer, Some(0));
}

#[test]
fn what_the_pointer_is_on_is_shown_elsewhere_while_it_is_there() {
    let mut window = Window::open();
    window.show(Pane::LogitLens);
    let is_background = |kind: &JobKind| matches!(kind, JobKind::Recall(..));
    window.wait("what is shown unasked", |app| {
        app.state.jobs.iter().all(|(_, job)| is_background(&job.kind))
    });
    let map = window.harness.get_by_role_and_label(Role::Canvas, "Logit lens").rect();
    window.harness.hover_at(map.center());
    window.harness.run_steps(3);
    let hovered = window.app().state.hovered.expect("the map is below the pointer");
    assert!(hovered.selection.layer.is_some() && hovered.selection.position.is_some());
    let is_idle = window.app().state.jobs.iter().all(|(_, job)| is_background(&job.kind));
    assert!(is_idle, "to hover starts no work");
    let row = window.app().state.row;
    // The view itself goes on from what was picked; others show where the pointer is.
    assert_eq!(window.app().state.seen(Pane::LogitLens, row), Selection::default());
    assert_eq!(window.app().state.seen(Pane::Trace, row), hovered.selection);
    let other = window.app().state.rows().find(|it| *it != row);
    if let Some(other) = other {
        let seen = window.app().state.seen(Pane::Trace, other);
        assert_eq!((seen.layer, seen.position), (hovered.selection.layer, None));
    }
    assert_eq!(window.app().state.selection, Selection::default());

    window.harness.hover_at(eframe::egui::pos2(2.0, 2.0));
    window.harness.run_steps(3);
    assert_eq!(window.app().state.hovered, None);
}

#[test]
fn the_palette_lists_first_what_holds_the_typed_words_whole() {
    let mut window = Window::open();
    window.show(Pane::Prediction);
    // Cutting attention holds the word as well, and patching only part of it.
    window.press(Modifiers::COMMAND, Key::K);
    window.type_into("What do you want to do?", "attention");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.app().workspace().is_in_front(Pane::Attention));
    assert!(window.app().state.jobs.asked().next().is_none());

    // What begins with the words comes before what holds them, and closing a view last.
    let listed = |window: &mut Window, typed: &str| {
        window.press(Modifiers::COMMAND, Key::K);
        window.type_into("What do you want to do?", typed);
        let all = window.harness.query_all_by_role(Role::Button);
        let all = all.filter_map(|it| it.accesskit_node().label());
        let all: Vec<String> = all.filter(|it| it.to_lowercase().contains(typed)).collect();
        window.press(Modifiers::NONE, Key::Escape);
        all
    };
    window.show(Pane::Sweep);
    let over = listed(&mut window, "over facts");
    assert!(over[0].starts_with("Over facts…"), "{over:#?}");
    assert!(over.iter().take(8).all(|it| it.starts_with("Over facts…")), "{over:#?}");

    // What is looked for by another word than its title has.
    window.press(Modifiers::COMMAND, Key::K);
    window.type_into("What do you want to do?", "keys");
    window.press(Modifiers::NONE, Key::Enter);
    window.sees("Keyboard");
}

#[test]
fn the_palette_finds_every_view_by_its_name() {
    let mut window = Window::open();
    for view in View::ALL {
        window.press(Modifiers::COMMAND, Key::K);
        window.type_into("What do you want to do?", &format!("show {}", view.text()));
        window.press(Modifiers::NONE, Key::Enter);
        assert!(window.app().workspace().is_in_front(view.first_mode()), "{view:?}");
    }
    // And every mode, by what stands on its button or by its name elsewhere.
    for (typed, pane) in [
        ("neuron", Pane::Parts),
        ("show estimated", Pane::Estimates),
        ("show any method", Pane::Sweep),
        ("show why this cell", Pane::Cell),
        ("show trace variants", Pane::Variants),
    ] {
        window.press(Modifiers::COMMAND, Key::K);
        window.type_into("What do you want to do?", typed);
        window.press(Modifiers::NONE, Key::Enter);
        assert!(window.app().workspace().is_in_front(pane), "{typed}");
    }
}

#[test]
fn the_palette_opens_over_a_menu() {
    let mut window = Window::open();
    window.click("File");
    window.sees("Open dataset…");
    window.press(Modifiers::COMMAND, Key::K);
    window.sees("What do you want to do?");
    assert!(window.harness.query_by_label_contains("Open recent").is_none());
}

#[test]
fn layers_are_stepped_through_while_a_button_has_the_focus() {
    let mut window = Window::open();
    window.harness.get_by_label("Trace").focus();
    window.harness.run_steps(2);
    window.press(Modifiers::NONE, Key::CloseBracket);
    assert_eq!(window.app().state.selection.layer, Some(0));
}

#[test]
fn the_list_of_facts_is_one_stop_and_arrow_keys_go_through_it() {
    let mut window = Window::open();
    let stops = |window: &Window| {
        let rows = window.harness.query_all_by_role(Role::ListBoxOption);
        let rows: Vec<bool> =
            rows.map(|it| it.accesskit_node().data().supports_action(Action::Focus)).collect();
        (rows.len(), rows.iter().filter(|it| **it).count())
    };
    assert_eq!(stops(&window), (3, 1));
    let is_stop = |it: &Node<'_>| it.accesskit_node().data().supports_action(Action::Focus);
    window.harness.query_all_by_role(Role::ListBoxOption).find(is_stop).unwrap().focus();
    window.harness.run_steps(2);
    for expected in [1, 2, 2] {
        window.press(Modifiers::NONE, Key::ArrowDown);
        assert_eq!(window.app().state.selected, Some(FactId::Record(expected)));
        assert_eq!(stops(&window), (3, 1));
    }
    window.press(Modifiers::NONE, Key::ArrowUp);
    assert_eq!(window.app().state.selected, Some(FactId::Record(1)));
}

#[test]
fn arrow_keys_step_through_a_box_with_a_list() {
    let mut window = Window::open();
    let bos = |window: &Window| window.app().state.settings.bos;
    window.harness.get_by_role_and_label(Role::ComboBox, "BOS").focus();
    window.harness.run_steps(2);
    assert_eq!(bos(&window), Bos::Off);
    for (key, expected) in [
        (Key::ArrowDown, Bos::On),
        (Key::ArrowDown, Bos::On),
        (Key::ArrowUp, Bos::Off),
        (Key::ArrowUp, Bos::Off),
    ] {
        window.press(Modifiers::NONE, key);
        assert_eq!(bos(&window), expected);
    }
    // The keys of the window are heard while the box has the focus.
    window.press(Modifiers::NONE, Key::CloseBracket);
    assert_eq!(window.app().state.selection.layer, Some(0));
    window.press(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(window.app().state.selection.position, Some(0));
    assert_eq!(bos(&window), Bos::Off);

    // A list that is left by Esc has chosen nothing, and one that is left otherwise has.
    for (leave, expected) in [(Key::Escape, Bos::Off), (Key::Enter, Bos::On)] {
        window.harness.get_by_role_and_label(Role::ComboBox, "BOS").click();
        window.harness.run_steps(3);
        window.press(Modifiers::NONE, Key::ArrowDown);
        assert_eq!(bos(&window), Bos::On);
        window.press(Modifiers::NONE, leave);
        assert_eq!(bos(&window), expected, "{leave:?}");
    }
}

#[test]
fn the_marked_command_stays_in_sight() {
    let mut window = Window::open();
    window.press(Modifiers::COMMAND, Key::K);
    let marked = |window: &Window| {
        let nodes = window.harness.query_all_by(|node| {
            node.toggled() == Some(Toggled::True) && node.role() == Role::Button
        });
        let list = window.harness.get_by_label("What do you want to do?").rect();
        nodes.map(|it| it.rect()).rfind(|it| it.left() >= list.left())
    };
    let first = marked(&window).unwrap();
    for _ in 0..30 {
        window.press(Modifiers::NONE, Key::ArrowDown);
    }
    window.harness.run_steps(8);
    let now = marked(&window).unwrap();
    assert!(now.top() > first.top() && now.bottom() < first.top() + 330.0, "{first:?} {now:?}");
}
