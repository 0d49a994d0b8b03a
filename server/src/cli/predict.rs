//! `kenami predict`: answers of a trained run for a folder of photos; no server needed.

use std::path::PathBuf;

use anyhow::Result;
use kenami_trainer::{Event, Observer};

use super::{Usage, bar::Bar, labels::write};
use crate::{
    import::pictures_below,
    jobs::{Progress, TrainProgress},
};

/// `kenami predict --run DIR --images DIR --out FILE.csv`.
#[derive(Debug, clap::Args)]
pub struct PredictArgs {
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// The folder of photos
    #[arg(long, value_name = "DIR")]
    pub images: PathBuf,
    /// The CSV to write: image,attribute,answer,probability
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Shows progress, and names files that are no photos.
struct Watch(TrainProgress);

impl Observer for Watch {
    fn event(&self, event: Event) {
        match event {
            Event::Warning(text) => eprintln!("note: {text}"),
            other => self.0.event(other),
        }
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// Runs `kenami predict`.
///
/// # Errors
/// The run or the photos cannot be read, or the file cannot be written.
pub async fn run(args: PredictArgs) -> Result<()> {
    for dir in [&args.run, &args.images] {
        if !dir.is_dir() {
            return Err(Usage::error(format!("there is no folder {}", dir.display())));
        }
    }
    let images = pictures_below(&args.images)?;
    anyhow::ensure!(!images.is_empty(), "{}: there are no photos in it", args.images.display());
    let progress = Progress::default();
    progress.begin(images.len(), "Predicting");
    let bar = Bar::show(&progress);
    let run = args.run.clone();
    let observer = Watch(TrainProgress { progress });
    let predictions = tokio::task::spawn_blocking(move || kenami_trainer::predict(&run, &images, &observer)).await;
    bar.finish().await;
    let predictions = predictions??;
    write(&args.out, |file| Ok(kenami_trainer::write_predictions_csv(file, &predictions)?))?;
    eprintln!("{} photos predicted, written to {}", predictions.len(), args.out.display());
    Ok(())
}
