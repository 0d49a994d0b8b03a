//! Local storage, where there is no database.

use super::Place;

/// Keeps a text; says where it is now.
pub fn put(name: &str, text: &str) -> Place {
    match storage().map(|storage| storage.set_item(name, text)) {
        Some(Ok(())) => Place::LocalStorage,
        _ => Place::Memory,
    }
}

/// Forgets a text.
pub fn remove(name: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(name);
    }
}

/// Names and texts whose names begin with `prefix`.
pub fn all(prefix: &str) -> Vec<(String, String)> {
    let Some(storage) = storage() else { return Vec::new() };
    let count = storage.length().unwrap_or(0);
    (0..count)
        .filter_map(|index| storage.key(index).ok().flatten())
        .filter(|name| name.starts_with(prefix))
        .filter_map(|name| {
            let text = storage.get_item(&name).ok().flatten()?;
            Some((name, text))
        })
        .collect()
}

/// Where texts go.
pub fn place() -> Place {
    if storage().is_some() { Place::LocalStorage } else { Place::Memory }
}

fn storage() -> Option<web_sys::Storage> {
    leptos::prelude::window().local_storage().ok().flatten()
}
