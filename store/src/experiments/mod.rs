//! Experiments: whether labels pay.

mod create;
mod read;
mod work;

pub use create::{cancel, create};
pub use read::{get, list};
pub use work::{ExperimentToRun, report, to_run};
