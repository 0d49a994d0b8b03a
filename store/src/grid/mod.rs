//! Answering many photos at once: screens of photos for which the same value of one attribute is suggested.
//!
//! Photos are claimed as on the annotate page. A screen answers one attribute; a photo is done once all of its attributes
//! have the annotator's answer, and until then its claim lives for a day, so that the other attributes' screens find it.

mod screen;
mod submit;

pub use screen::{ScreenQuery, screen};
pub use submit::submit;
