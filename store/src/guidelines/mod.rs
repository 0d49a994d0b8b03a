//! Written guidelines: drafts, published versions, and the labels that a publication puts in doubt.

mod draft;
mod load;
mod names;
mod publish;
mod text;

pub use draft::{MAX_CAPTION, MAX_CHANGE_NOTE, MAX_TEXT, discard_draft, save_draft};
pub use load::{all, get, version};
pub use names::{MAX_NAME, set_names};
pub use publish::{doubt_count, import, publish};
