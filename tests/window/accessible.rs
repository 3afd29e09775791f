//! What is heard and reached without eyes and without a pointer.

use std::collections::BTreeSet;

use eframe::egui::Key;
use eframe::egui::accesskit::{Action, Role};
use egui_kittest::Node;
use egui_kittest::kittest::NodeT as _;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;

use super::support::Window;

impl Window {
    /// All that can be pressed, set or moved.
    pub fn controls(&self) -> impl Iterator<Item = Node<'_>> {
        self.harness.root().children_recursive().filter(|node| {
            let data = node.accesskit_node().data();
            let Some(bounds) = data.bounds() else { return false };
            // Text is its own name, and a scroll bar is named by what it is. Behind tabs and between views there is room to drag, which
            // egui_tiles does not name; the menu of views does the same.
            let is_room =
                data.role() == Role::Unknown && (bounds.width() < 8.0 || bounds.height() < 25.0);
            let can = |action| data.supports_action(action);
            !matches!(data.role(), Role::Label | Role::ScrollBar)
                && !is_room
                && [Action::Click, Action::SetValue, Action::Focus].into_iter().any(can)
        })
    }
}

/// Role, name and place.
pub fn described(node: &Node<'_>) -> String {
    let (at, node) = (node.rect(), node.accesskit_node());
    let name = node.label().or_else(|| node.value()).unwrap_or_default();
    format!("{:?} {name:?} at {at:?}", node.role())
}

pub fn is_nameless(node: &Node<'_>) -> bool {
    let name = node.accesskit_node().label().unwrap_or_default();
    // A sign is no name, unless it is a token.
    name.trim().is_empty() || ["✖", "×", "▶", "⏵", "…", "+", "-", "?"].contains(&&*name)
}

#[test]
fn every_control_of_every_view_has_a_name() {
    let mut window = Window::open();
    for pane in Pane::ALL {
        window.show(pane);
        if pane.is_study() {
            window.harness.state_mut().command(Command::Study(pane));
            window.harness.run_steps(2);
            window.wait("the study", |app| app.state.jobs.asked().next().is_none());
        }
        let nameless: Vec<String> =
            window.controls().filter(is_nameless).map(|it| described(&it)).collect();
        assert_eq!(nameless, Vec::<String>::new(), "{pane:?}");
    }
}

/// The pointer alone drags the edge of the list.
fn is_for_keys(node: &Node<'_>) -> bool {
    node.accesskit_node().role() != Role::Splitter
}

#[test]
fn every_control_is_reached_with_the_keyboard() {
    let mut window = Window::open();
    for pane in Pane::ALL {
        window.show(pane);
        // The arrows beside a row of tabs come and go while it is scrolled to the one that is shown.
        window.harness.run_steps(12);
        let mut wanted: BTreeSet<String> = window
            .controls()
            // The list of facts is one stop, from which arrow keys go on.
            .filter(|node| node.accesskit_node().role() != Role::ListBoxOption)
            .filter(|node| !node.accesskit_node().is_disabled())
            .filter(is_for_keys)
            .map(|node| described(&node))
            .collect();
        let n_wanted = wanted.len();
        assert!(n_wanted > 20, "{pane:?}");
        // What scrolls moves while the focus goes round, so names must do.
        let name = |text: &str| text.split(" at ").next().unwrap_or_default().to_owned();
        wanted = wanted.iter().map(|it| name(it)).collect();
        let mut unseen = Vec::new();
        for _ in 0..2 * n_wanted {
            window.harness.key_press(Key::Tab);
            // Pressed and let go.
            window.harness.run_steps(2);
            let focused = |window: &Window| {
                let mut controls = window.controls().filter(is_for_keys);
                controls.find(|it| it.accesskit_node().is_focused()).map(|it| described(&it))
            };
            // Room that the pointer drags is passed over in the next frames.
            if focused(&window).is_none() {
                window.harness.run_steps(4);
            }
            let ctx = &window.harness.ctx;
            match (focused(&window), ctx.memory(|memory| memory.focused())) {
                (Some(focused), _) => _ = wanted.remove(&name(&focused)),
                (None, Some(id)) => {
                    unseen.extend(ctx.read_response(id).map(|it| it.rect.to_string()));
                }
                (None, None) => {}
            }
        }
        assert_eq!(unseen, [""; 0], "{pane:?}: where the focus stays");
        assert!(wanted.is_empty(), "{pane:?}: {wanted:#?}");
    }
}
