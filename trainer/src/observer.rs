//! How a run tells what it does and learns that it shall stop.

use kenami_domain::metrics::CurveRow;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The dataset is known.
    Reading {
        /// Photos in it.
        images: usize,
    },
    /// Features of the frozen trunk.
    Features {
        /// Photos done.
        done: usize,
        /// Photos in all.
        total: usize,
        /// Of those done, how many came from the cache.
        cached: usize,
    },
    /// What the first round's model said of unlabelled photos.
    PseudoLabels {
        /// Unlabelled photos.
        photos: usize,
        /// Of these, so many have an answer that is sure enough to learn from.
        taken: usize,
        /// Epochs of the first round; those of the second are counted from 1 again.
        epochs: u32,
    },
    /// A run of an experiment begins, or is passed over.
    Cell {
        /// The variant's name.
        variant: String,
        /// The seed.
        seed: u64,
        /// Which run of the experiment, from 1.
        number: usize,
        /// Runs of the experiment.
        cells: usize,
        /// It is there already and not trained again.
        finished: bool,
    },
    /// A step of an epoch ended.
    Step {
        /// The epoch, from 1.
        epoch: u32,
        /// Epochs in all.
        epochs: u32,
        /// The step in the epoch, from 1.
        step: usize,
        /// Steps in the epoch.
        steps: usize,
    },
    /// An epoch ended.
    Epoch {
        /// From 1.
        epoch: u32,
        /// Epochs in all.
        epochs: u32,
        /// The learning rate of the last step.
        lr: f64,
        /// Losses and accuracies of this epoch.
        rows: Vec<CurveRow>,
    },
    /// An epoch of a fold ended, or its first begins: folds are trained one after the other once the run's own model is there.
    Fold {
        /// The fold, from 1.
        number: usize,
        /// Folds in all.
        folds: usize,
        /// The epoch, from 1; 0 as the fold begins.
        epoch: u32,
        /// Epochs in all.
        epochs: u32,
    },
    /// Training is over, results are computed and written.
    Evaluating,
    /// Everything is written.
    Finished {
        /// Wall-clock seconds.
        seconds: f64,
    },
    /// Something the user should know.
    Warning(String),
}

/// Who watches a run. Called from several threads.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);

    /// Whether the run shall stop; asked at every step and every few photos.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: Event) {}
}
