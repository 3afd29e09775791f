//! Textures that are kept from frame to frame.

use eframe::egui::cache::FramePublisher;
use eframe::egui::{ColorImage, Id, TextureHandle, TextureId, TextureOptions, Ui};

/// A texture that is made again only when `version` changes, and freed once it is no longer drawn.
pub fn cached_texture(
    ui: &Ui,
    id: Id,
    version: u64,
    options: TextureOptions,
    image: impl FnOnce() -> ColorImage,
) -> TextureId {
    type Textures = FramePublisher<Id, (u64, TextureHandle)>;
    let cached = ui.memory_mut(|memory| memory.caches.cache::<Textures>().get(&id).cloned());
    let handle = match cached {
        Some((of_version, handle)) if of_version == version => handle,
        Some((_, mut handle)) => {
            handle.set(image(), options);
            handle
        }
        None => ui.ctx().load_texture(format!("{id:?}"), image(), options),
    };
    let texture = handle.id();
    ui.memory_mut(|memory| memory.caches.cache::<Textures>().set(id, (version, handle)));
    texture
}
