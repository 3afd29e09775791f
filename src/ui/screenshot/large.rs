//! The window larger than it is: all is drawn larger and shifted, one part after the other, and the
//! parts are put together. No window must grow for it, so it need not fit the screen.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use eframe::egui::{Color32, ColorImage, Context, FullOutput, Plugin, RawInput, Rect, Vec2, vec2};

/// Frames until the larger text has come to rest.
const N_SETTLING: u32 = 4;

/// A picture that is being taken.
#[derive(Debug)]
pub struct LargePicture {
    pub path: PathBuf,
    times: usize,

    /// The window in points, which stays what the layout goes by.
    window: Rect,
    n_settling: u32,

    /// Row by row.
    parts: Vec<Arc<ColorImage>>,
    is_asked: bool,
    sender: Sender<Arc<ColorImage>>,
    receiver: Receiver<Arc<ColorImage>>,
}

/// Where in the picture the window is, in points.
#[derive(Default)]
struct Shift(Vec2);

impl Plugin for Shift {
    fn debug_name(&self) -> &'static str {
        "part of a larger picture"
    }

    fn output_hook(&mut self, _ctx: &Context, output: &mut FullOutput) {
        if self.0 == Vec2::ZERO {
            return;
        }
        for clipped in &mut output.shapes {
            clipped.clip_rect = clipped.clip_rect.translate(-self.0);
            clipped.shape.translate(-self.0);
        }
    }
}

impl LargePicture {
    /// `times` as wide and as high as the window is now.
    pub fn begin(ctx: &Context, path: PathBuf, times: u8) -> Self {
        let (sender, receiver) = mpsc::channel();
        let window = ctx.content_rect();
        Self {
            path,
            times: usize::from(times),
            window,
            n_settling: N_SETTLING,
            parts: Vec::new(),
            is_asked: false,
            sender,
            receiver,
        }
    }

    /// As large a window of finer pixels. Nobody points into what is shifted.
    pub fn input(&self, input: &mut RawInput) {
        input.screen_rect = Some(self.window);
        if let Some(viewport) = input.viewports.get_mut(&input.viewport_id) {
            let native = viewport.native_pixels_per_point.unwrap_or(1.0);
            viewport.native_pixels_per_point = Some(native * self.times as f32);
        }
        input.events.clear();
    }

    /// To be called before each frame. The picture once all parts are there.
    pub fn advance(&mut self, ctx: &Context) -> Option<ColorImage> {
        ctx.request_repaint();
        if self.n_settling > 0 {
            self.n_settling -= 1;
            return None;
        }
        if let Ok(part) = self.receiver.try_recv() {
            self.parts.push(part);
            self.is_asked = false;
        }
        if self.parts.len() == self.times.pow(2) {
            ctx.plugin_or_default::<Shift>().lock().0 = Vec2::ZERO;
            return Some(together(&self.parts, self.times));
        }
        if !self.is_asked {
            let nth = self.parts.len();
            let at = vec2((nth % self.times) as f32, (nth / self.times) as f32);
            ctx.plugin_or_default::<Shift>().lock().0 = at * self.window.size() / self.times as f32;
            let sender = self.sender.clone();
            // The window has closed: nobody to tell.
            ctx.request_screenshot(move |image| _ = sender.send(image));
            self.is_asked = true;
        }
        None
    }
}

/// Parts of one size, row by row.
fn together(parts: &[Arc<ColorImage>], times: usize) -> ColorImage {
    let [width, height] = parts[0].size;
    let mut image = ColorImage::filled([width * times, height * times], Color32::BLACK);
    for (nth, part) in parts.iter().enumerate() {
        let (left, top) = (nth % times * width, nth / times * height);
        for (row, pixels) in part.pixels.chunks(width).take(height).enumerate() {
            let start = (top + row) * width * times + left;
            let n = pixels.len().min(width);
            image.pixels[start..start + n].copy_from_slice(&pixels[..n]);
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_put_where_they_were_taken() {
        let parts: Vec<_> = (0..4)
            .map(|nth| Arc::new(ColorImage::filled([2, 1], Color32::from_gray(nth * 50))))
            .collect();
        let image = together(&parts, 2);
        assert_eq!(image.size, [4, 2]);
        let grays: Vec<u8> = image.pixels.iter().map(|it| it.r()).collect();
        assert_eq!(grays, [0, 0, 50, 50, 100, 100, 150, 150]);
    }
}
