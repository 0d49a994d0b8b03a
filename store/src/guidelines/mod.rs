//! Written guidelines: drafts, published versions, and the labels that a publication puts in doubt.

mod draft;
mod load;
mod publish;
mod text;

pub use draft::{MAX_CAPTION, MAX_CHANGE_NOTE, MAX_TEXT, discard_draft, save_draft};
pub use load::{all, get, version};
pub use publish::{doubt_count, import, publish};
