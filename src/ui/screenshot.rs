//! The window as a PNG.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use eframe::egui::{self, ColorImage};
use image::{ExtendedColorType, ImageEncoder as _};

use super::reply::{Reply, aside};
use crate::whole_file;

mod large;

pub use large::LargePicture;

/// Captures the next frame. How it went comes as [`Reply::Screenshot`].
pub fn capture(ctx: &egui::Context, path: PathBuf, replies: &Sender<Reply>) {
    let (ctx_then, replies) = (ctx.clone(), replies.clone());
    ctx.request_screenshot(move |image| write(image, path, &ctx_then, &replies));
}

/// On a thread of its own. How it went comes as [`Reply::Screenshot`].
pub fn write(image: Arc<ColorImage>, path: PathBuf, ctx: &egui::Context, replies: &Sender<Reply>) {
    let path_then = path.clone();
    let thread = aside("screenshot", replies, ctx, move || {
        let saved = save(&image, &path).map_err(|error| error.to_string());
        Reply::Screenshot { path, saved }
    });
    if let Err(error) = thread {
        let saved = Err(error.to_string());
        _ = replies.send(Reply::Screenshot { path: path_then, saved });
    }
}

fn save(image: &ColorImage, path: &Path) -> Result<(), image::ImageError> {
    // A window is opaque.
    let bytes: Vec<u8> = image.pixels.iter().flat_map(|it| [it.r(), it.g(), it.b()]).collect();
    let [width, height] = image.size.map(|it| it as u32);
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png).write_image(
        &bytes,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(whole_file::write(path, &png)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::Color32;

    #[test]
    fn a_saved_image_is_read_back_the_same_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("window.png");
        let pixels = (0..6).map(|nth| Color32::from_rgb(nth * 40, 7, 255 - nth)).collect();
        save(&ColorImage::new([3, 2], pixels), &path).unwrap();
        let read = image::open(&path).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (3, 2));
        assert_eq!(read.get_pixel(2, 1).0, [200, 7, 250]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let image = ColorImage::filled([1, 1], Color32::RED);
        assert!(save(&image, Path::new("/nowhere/at/all.png")).is_err());
    }
}
