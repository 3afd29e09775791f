//! What is drawn in many frames, and made in one.

use std::sync::Arc;

use eframe::egui::cache::FramePublisher;
use eframe::egui::{ColorImage, Id, TextureHandle, TextureId, TextureOptions, Ui};

/// What `make` makes of `of`: made again only when that changes, and let go once it is not asked for any
/// more.
pub fn made_once<K, T>(ui: &Ui, id: Id, of: K, make: impl FnOnce() -> T) -> Arc<T>
where
    K: PartialEq + Clone + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    // Of what the value is made, and the value.
    type Kept<K, T> = FramePublisher<Id, (K, Arc<T>)>;
    let kept = ui.memory_mut(|memory| memory.caches.cache::<Kept<K, T>>().get(&id).cloned());
    let value = match kept {
        Some((made_of, value)) if made_of == of => value,
        _ => Arc::new(make()),
    };
    let kept = (of, Arc::clone(&value));
    ui.memory_mut(|memory| memory.caches.cache::<Kept<K, T>>().set(id, kept));
    value
}

/// What is shared, equal only to itself: results are compared in no time, however large they are.
#[derive(Debug)]
pub struct Shared<T: ?Sized>(pub Arc<T>);

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The texture of an image that `make` makes of `of`.
pub fn cached_texture<K>(
    ui: &Ui,
    id: Id,
    of: K,
    options: TextureOptions,
    make: impl FnOnce() -> ColorImage,
) -> TextureId
where
    K: PartialEq + Clone + Send + Sync + 'static,
{
    let load = || ui.ctx().load_texture(format!("{id:?}"), make(), options);
    made_once::<K, TextureHandle>(ui, id, of, load).id()
}
