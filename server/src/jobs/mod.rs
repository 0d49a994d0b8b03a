//! Long work: a worker takes jobs from the database, says how far it is, and can be stopped and started again.

mod experiment;
mod import;
mod progress;
mod train;
mod weights;
pub mod worker;

pub use progress::Progress;
pub use train::{TrainProgress, stored_dataset};
pub use weights::check_page_config;
pub(crate) use weights::demo_weights;

/// How a job's work ended, where it did not fail.
#[derive(Debug)]
enum Ended {
    /// It is complete; what came of it.
    Done(serde_json::Value),
    /// It was told to stop and did.
    Stopped,
}
