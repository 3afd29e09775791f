//! Keeps the window on a monitor that is there, and within it.

use eframe::CreationContext;
use eframe::egui::{Pos2, Rect, Vec2, ViewportCommand, pos2, vec2};

/// Points for the frame that the system puts around a window, and for the system's own bar.
const FRAME: Vec2 = vec2(16.0, 72.0);

/// Lets the window fill a monitor on which it has no room with its frame. To be called where no size was asked
/// for.
pub(super) fn fit(cc: &CreationContext<'_>) {
    let Some(window) = cc.winit_window() else { return };
    let monitor = window.current_monitor().or_else(|| window.available_monitors().next());
    let Some(monitor) = monitor.map(|it| it.size()) else { return };
    let (size, scale) = (window.inner_size(), window.scale_factor() as f32);
    let points = |width: u32, height: u32| vec2(width as f32, height as f32) / scale;
    if has_no_room(points(size.width, size.height), points(monitor.width, monitor.height)) {
        // Once it is on the screen, or the system would not hear of it.
        cc.egui_ctx.send_viewport_cmd(ViewportCommand::Maximized(true));
    }
}

fn has_no_room(window: Vec2, monitor: Vec2) -> bool {
    let needed = window + FRAME;
    needed.x > monitor.x || needed.y > monitor.y
}

/// Moves the window back if its remembered place is on a monitor that is not there any more.
pub(super) fn bring_back(cc: &CreationContext<'_>) {
    let Some(window) = cc.winit_window() else { return };
    // Wayland does not tell.
    let Ok(mut place) = window.outer_position() else { return };
    let rect = |x: i32, y: i32, width: u32, height: u32| {
        Rect::from_min_size(pos2(x as f32, y as f32), vec2(width as f32, height as f32))
    };
    let size = window.outer_size();
    let monitors = window.available_monitors().map(|monitor| {
        let (at, size) = (monitor.position(), monitor.size());
        rect(at.x, at.y, size.width, size.height)
    });
    let here = rect(place.x, place.y, size.width, size.height);
    if let Some(to) = brought_back(here, &monitors.collect::<Vec<_>>()) {
        (place.x, place.y) = (to.x as i32, to.y as i32);
        window.set_outer_position(place);
    }
}

/// Where a window belongs of which less than half can be seen. `None` if it can stay where it is.
fn brought_back(window: Rect, monitors: &[Rect]) -> Option<Pos2> {
    let seen = |monitor: &Rect| {
        let part = monitor.intersect(window);
        if part.is_positive() { part.area() } else { 0.0 }
    };
    if monitors.iter().map(seen).sum::<f32>() >= 0.5 * window.area() {
        return None;
    }
    let home = monitors.iter().max_by(|a, b| seen(a).total_cmp(&seen(b)))?;
    let room = (home.size() - window.size()).max(vec2(0.0, 0.0));
    Some(window.min.clamp(home.min, home.min + room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_leaves_its_frame_no_room_fills_the_monitor() {
        let laptop = vec2(1280.0, 720.0);
        assert!(has_no_room(laptop, laptop));
        assert!(has_no_room(vec2(1200.0, 700.0), laptop));
        assert!(!has_no_room(vec2(1200.0, 640.0), laptop));
        assert!(!has_no_room(vec2(1360.0, 850.0), vec2(2560.0, 1440.0)));
    }

    #[test]
    fn a_window_on_an_unplugged_monitor_is_brought_back() {
        let rect = |x, y, width, height| Rect::from_min_size(pos2(x, y), vec2(width, height));
        let (laptop, screen) = (rect(0.0, 0.0, 1366.0, 768.0), rect(1366.0, 0.0, 1920.0, 1080.0));
        let window = rect(1500.0, 100.0, 1360.0, 700.0);
        assert_eq!(brought_back(window, &[laptop, screen]), None);
        assert_eq!(brought_back(window, &[laptop]), Some(pos2(6.0, 68.0)));
        // Of which 30 points are left.
        let edge = rect(1336.0, 20.0, 1000.0, 640.0);
        assert_eq!(brought_back(edge, &[laptop]), Some(pos2(366.0, 20.0)));
        // Larger than the monitor: at its corner.
        let large = rect(2000.0, 900.0, 2000.0, 1200.0);
        assert_eq!(brought_back(large, &[laptop]), Some(pos2(0.0, 0.0)));
        assert_eq!(brought_back(large, &[]), None);
    }
}
