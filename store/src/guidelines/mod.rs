//! Written guidelines: drafts, published versions, the votes that a publication puts in doubt, and what it did to agreement.

mod amend;
mod doubt;
mod draft;
mod effect;
mod load;
mod publish;
mod text;

pub use amend::{MAX_EXAMPLES, amend};
pub use doubt::scope_count;
pub use draft::{MAX_CAPTION, MAX_CHANGE_NOTE, MAX_TEXT, discard_draft, save_draft};
pub use effect::effects;
pub use load::{all, get, version};
pub use publish::{import, publish};
