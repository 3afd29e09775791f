//! What of a view is in sight, what can be scrolled to, and which texts lie over each other: from the
//! accessibility tree, and from what is painted.

use std::collections::{BTreeMap, BTreeSet};

use eframe::egui::accesskit::{NodeId, Role};
use eframe::egui::emath::Rot2;
use eframe::egui::{Pos2, Rect, Shape, Vec2, vec2};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::ui::pane::{Pane, View};

use super::super::accessible::described;
use super::super::support::Window;
use super::super::workspace::arranged;
use super::TOLERANCE;

/// What of a view is no room for what scrolls: margins, the row of modes, scroll bars.
const BARS: Vec2 = vec2(30.0, 70.0);

pub fn id_of(node: &Node<'_>) -> NodeId {
    node.accesskit_node().locate().0
}

/// Whether a person must be able to see a node: a control, a map with its axes, a text.
pub fn matters(node: &Node<'_>) -> bool {
    let data = node.accesskit_node();
    let is_seen = matches!(
        data.role(),
        Role::Button
            | Role::Canvas
            | Role::CheckBox
            | Role::ComboBox
            | Role::Figure
            | Role::Label
            | Role::Link
            | Role::ListBoxOption
            | Role::ProgressIndicator
            | Role::RadioButton
            | Role::Slider
            | Role::SpinButton
            | Role::TextInput
    );
    let text = data.label().or_else(|| data.value());
    is_seen && text.is_some_and(|it| !it.trim().is_empty()) && node.rect().is_positive()
}

/// Whether a node is drawn as letters alone: the height of a dash is too small to be measured.
fn is_text(node: &Node<'_>) -> bool {
    let data = node.accesskit_node();
    let text = data.label().or_else(|| data.value()).unwrap_or_default();
    data.role() == Role::Label && text.contains(char::is_alphanumeric)
}

/// A line of text as it is painted: what it says, the corners of its letters, and where it is cut off.
struct Painted {
    text: String,
    corners: [Pos2; 4],
    seen: Rect,
}

impl Painted {
    /// All texts of a shape.
    fn of(shape: &Shape, seen: Rect, found: &mut Vec<Self>) {
        match shape {
            Shape::Vec(shapes) => shapes.iter().for_each(|it| Self::of(it, seen, found)),
            Shape::Text(text) => {
                let turned = Rot2::from_angle(text.angle);
                for line in &text.galley.rows {
                    let letters = line.row.visuals.mesh_bounds.translate(line.pos.to_vec2());
                    let letters = letters.shrink(TOUCHING);
                    if !letters.is_positive() {
                        continue;
                    }
                    let corners = [
                        letters.left_top(),
                        letters.right_top(),
                        letters.right_bottom(),
                        letters.left_bottom(),
                    ];
                    let corners = corners.map(|it| text.pos + turned * it.to_vec2());
                    let seen = seen.intersect(Rect::from_points(&corners));
                    let text = line.row.text();
                    found.push(Self { text, corners, seen });
                }
            }
            _ => {}
        }
    }

    /// Whether a part of its letters is cut off.
    fn is_cut(&self) -> bool {
        let whole = Rect::from_points(&self.corners);
        let lost = whole.size() - self.seen.size();
        !self.seen.is_positive() || lost.max_elem() > TOLERANCE
    }

    /// Whether some line along a side of one of both parts them.
    fn is_apart_from(&self, other: &Self) -> bool {
        let ends = |along: Vec2, corners: &[Pos2; 4]| {
            let at = corners.map(|it| it.to_vec2().dot(along));
            let low = at.into_iter().fold(f32::INFINITY, f32::min);
            (low, at.into_iter().fold(f32::NEG_INFINITY, f32::max))
        };
        let sides =
            [self, other].map(|it| [it.corners[1] - it.corners[0], it.corners[3] - it.corners[0]]);
        let is_parted = |along: Vec2| {
            let (a, b) = (ends(along, &self.corners), ends(along, &other.corners));
            a.1 <= b.0 || b.1 <= a.0
        };
        sides.into_iter().flatten().any(is_parted) || !self.seen.intersect(other.seen).is_positive()
    }
}

/// Points by which the letters of two texts may come nearer than their boxes.
const TOUCHING: f32 = 0.5;

impl Window {
    /// The texts of a view that begin so, and whether a part of each is cut off at a side.
    pub fn texts_painted(&self, pane: Pane, start: &str) -> Vec<(String, bool)> {
        let place = self.place_of(pane);
        let mut texts = Vec::new();
        for shape in &self.harness.output().shapes {
            Painted::of(&shape.shape, shape.clip_rect.intersect(place), &mut texts);
        }
        // What is scrolled out of sight, above or below, is whole.
        texts.retain(|it| it.text.starts_with(start) && it.seen.is_positive());
        texts.into_iter().map(|it| (it.text.clone(), it.is_cut())).collect()
    }

    /// The texts of a view that lie over each other.
    pub fn touching(&self, pane: Pane) -> Vec<String> {
        let place = self.place_of(pane);
        let mut texts = Vec::new();
        for shape in &self.harness.output().shapes {
            Painted::of(&shape.shape, shape.clip_rect.intersect(place), &mut texts);
        }
        texts.retain(|it| it.seen.is_positive());
        let mut wrong = Vec::new();
        for (nth, one) in texts.iter().enumerate() {
            let over = texts[nth + 1..].iter().filter(|other| !one.is_apart_from(other));
            wrong.extend(
                over.map(|it| format!("{:?} touches {:?} at {:?}", one.text, it.text, it.seen)),
            );
        }
        wrong
    }

    pub fn set_window(&mut self, size: Vec2, zoom: f32) {
        self.harness.set_size(size / zoom);
        self.harness.run_steps(4);
    }

    pub fn region(&self, pane: Pane) -> Node<'_> {
        let name = format!("{} view", pane.text());
        self.harness.get_by(move |node| {
            node.role() == Role::TabPanel && node.label().is_some_and(|it| it == name)
        })
    }

    /// The place of a view below its tab.
    pub fn place_of(&self, pane: Pane) -> Rect {
        self.region(pane).rect()
    }

    /// How a view is larger than its place, if it is: then it is cut off by the window or by its neighbour,
    /// and nothing scrolls.
    pub fn outgrown(&self, pane: Pane) -> Option<String> {
        let (place, window) = (self.place_of(pane), self.harness.ctx.content_rect());
        let others = self.harness.query_all_by_role(Role::TabPanel).map(|it| it.rect());
        let n_over =
            others.filter(|it| it.intersect(place.shrink(TOLERANCE)).is_positive()).count();
        let is_inside = window.expand(TOLERANCE).contains_rect(place);
        (!is_inside || n_over > 1).then(|| format!("all of it is as large as {place:?}"))
    }

    /// What stands in a view, texts that are no names too, and where.
    pub fn texts(&self, pane: Pane) -> Vec<(String, Rect)> {
        let nodes = self.region(pane).children_recursive();
        let text = |node: Node<'_>| {
            let data = node.accesskit_node();
            let text = data.label().or_else(|| data.value())?;
            node.rect().is_positive().then(|| (text, node.rect()))
        };
        nodes.filter_map(text).collect()
    }

    /// The scroll bars of a view: across, and down.
    pub fn scroll_bars(&self, pane: Pane) -> [bool; 2] {
        let nodes = self.region(pane).children_recursive();
        let bars: Vec<Rect> = nodes
            .filter(|it| it.accesskit_node().role() == Role::ScrollBar)
            .map(|it| it.rect())
            .collect();
        [
            bars.iter().any(|it| it.width() > it.height()),
            bars.iter().any(|it| it.height() > it.width()),
        ]
    }

    /// The heights of a view's maps.
    pub fn map_heights(&self, pane: Pane) -> Vec<f32> {
        let nodes = self.region(pane).children_recursive();
        nodes
            .filter(|it| it.accesskit_node().role() == Role::Canvas)
            .map(|it| it.rect().height())
            .collect()
    }

    /// What cannot be scrolled to. Each thing that is out of sight is scrolled to, the farthest first, until
    /// all have been in sight.
    pub fn out_of_reach(&mut self, pane: Pane) -> Vec<String> {
        let (mut known, mut unseen) = (BTreeSet::new(), BTreeMap::new());
        let mut wrong = Vec::new();
        while let Some(farthest) = self.look_around(pane, &mut known, &mut unseen) {
            // A bar that appears on the way takes room from what is scrolled to.
            for n_frames in [3, 12, 12] {
                if unseen.contains_key(&farthest) {
                    self.scroll_to(pane, farthest, n_frames);
                    self.look_around(pane, &mut known, &mut unseen);
                }
            }
            if let Some(name) = unseen.remove(&farthest) {
                wrong.push(format!("{name} in {:?}", self.place_of(pane)));
            }
        }
        wrong.extend(unseen.into_values().map(|name| format!("{name} is gone when scrolled to")));
        wrong
    }

    pub fn scroll_to(&mut self, pane: Pane, id: NodeId, n_frames: usize) {
        if let Some(node) = self.region(pane).children_recursive().find(|it| id_of(it) == id) {
            node.scroll_to_me();
        }
        self.harness.run_steps(n_frames);
    }

    /// Strikes out what is in sight of a view, and notes what is there for the first time and is not. Returns
    /// what of that is the farthest down.
    pub fn look_around(
        &self,
        pane: Pane,
        known: &mut BTreeSet<NodeId>,
        unseen: &mut BTreeMap<NodeId, String>,
    ) -> Option<NodeId> {
        let place = self.place_of(pane).expand(TOLERANCE);
        // What is larger than its place cannot be seen whole.
        let is_seen = |rect: Rect| {
            let (seen, room) = (rect.intersect(place), place.size() - BARS);
            let shows =
                |seen: f32, whole: f32, room: f32| seen >= whole.min(room) - 2.0 * TOLERANCE;
            shows(seen.width(), rect.width(), room.x) && shows(seen.height(), rect.height(), room.y)
        };
        let mut texts = Vec::new();
        for shape in &self.harness.output().shapes {
            Painted::of(&shape.shape, shape.clip_rect, &mut texts);
        }
        // Letters are in sight that are drawn, and not cut off by what they stand in.
        let is_whole = |node: &Node<'_>| {
            let place = node.rect().expand(TOLERANCE);
            let name = node.accesskit_node().label().unwrap_or_default();
            let is_in = |it: &&Painted| {
                place.contains(Rect::from_points(&it.corners).center())
                    && (is_text(node) || name.contains(it.text.trim()))
            };
            let mut own = texts.iter().filter(is_in).peekable();
            (own.peek().is_some() || !is_text(node)) && !own.any(Painted::is_cut)
        };
        let mut farthest: Option<(f32, NodeId)> = None;
        for node in self.region(pane).children_recursive().filter(matters) {
            let (id, rect) = (id_of(&node), node.rect());
            let is_new = known.insert(id);
            let has_room = (place.size() - BARS - rect.size()).min_elem() >= 0.0;
            if is_seen(rect) && (!has_room || is_whole(&node)) {
                unseen.remove(&id);
            } else if is_new || unseen.contains_key(&id) {
                unseen.insert(id, described(&node));
                if farthest.is_none_or(|(bottom, _)| rect.bottom() > bottom) {
                    farthest = Some((rect.bottom(), id));
                }
            }
        }
        farthest.map(|(_, id)| id)
    }

    /// One view above another.
    pub fn docked(&mut self, pane: Pane) {
        let below = if pane.view() == View::Record { "Prediction" } else { "Jobs" };
        let places: [(&[&str], usize); 2] = [(&[&format!("{pane:?}")], 0), (&[below], 0)];
        let workspace = serde_json::from_str(&arranged("Vertical", &places)).unwrap();
        *self.harness.state_mut().workspace_mut() = workspace;
        self.harness.run_steps(4);
    }

    /// `place`: puts a view where it is looked at.
    #[track_caller]
    pub fn everything_fits(
        &mut self,
        sizes: &[(Vec2, f32)],
        panes: &[Pane],
        place: fn(&mut Self, Pane),
    ) {
        let mut wrong = Vec::new();
        for &(size, zoom) in sizes {
            self.set_window(size, zoom);
            for &pane in panes {
                place(self, pane);
                let outgrown = self.outgrown(pane);
                let touching = self.touching(pane);
                let seen = outgrown.into_iter().chain(touching);
                for what in seen.chain(self.out_of_reach(pane)) {
                    wrong.push(format!("{pane:?} at {size} × {zoom}: {what}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
