//! Gold photos: photos with a right answer that a lead has set, mixed in among an annotator's photos.
//!
//! A gold answer is always the decision that stands: making one decides, and a decision that changes ends it. Once every
//! attribute of a photo is gold, the photo asks for no votes. Where it is given as gold, the claim has no slot, so that it
//! takes nothing from the queue; the labels are marked and are no votes (see [`crate::votes`]).

mod list;
mod make;
pub(crate) mod mix;
mod remove;

pub use list::{list, summary};
pub use make::{MAX_EXPLANATION, MOST_AT_ONCE, make, make_many, put};
pub(crate) use remove::follow_decision;
pub use remove::remove;
