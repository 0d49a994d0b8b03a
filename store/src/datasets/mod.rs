//! Frozen datasets: what a lead freezes never changes again.

mod freeze;
mod read;
mod source;

pub use freeze::freeze;
pub use read::{DatasetItem, find, get, items, items_page, list, manifest};

/// Whether `name` may name a dataset: ASCII letters, digits, `.`, `_` and `-`, 1 to 100, beginning with a letter
/// or digit.
fn is_valid_name(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
