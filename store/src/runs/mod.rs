//! Training runs: what leads start, what workers report, what everybody reads.

mod create;
mod errors;
mod mistakes;
mod read;
pub(crate) mod unseen;
mod work;

pub(crate) use create::check_weights;
pub use create::{cancel, create};
pub use errors::errors;
pub use mistakes::{MistakeFilter, mistakes};
pub use read::{RUN_FILES, artifacts, file, find, get, list};
pub use work::{Prediction, RunForTraining, add_curves, finish, store_held_out, store_predictions, training};
