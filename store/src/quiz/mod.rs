//! The quiz: gold photos that an annotator answers before the first real one. Its answers are no labels.
//!
//! It is for annotators alone (who decides or leads knows the answers), and only for those who have finished no photo of the
//! project. Where there are fewer gold photos than a quiz has, there is none yet.

mod answer;
mod begin;
mod gate;
mod grant;
mod state;

pub use answer::answer;
pub use begin::begin;
pub(crate) use gate::{is_paused, stopped};
pub use grant::grant;
pub(crate) use state::results;
pub use state::state;
