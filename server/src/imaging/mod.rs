//! Photos as pixels: what a file holds, whether it can be trusted, and the smaller pictures made of it.

mod decode;
mod derive;
mod jpeg;

pub use decode::{Format, Header, MAX_FILE_BYTES, MAX_PIXELS, MAX_SIDE, PhotoError, inspect, media_type};
pub use derive::{Derivative, Derived, THUMBNAIL_SIDE, WEB_SIDE, derive};
