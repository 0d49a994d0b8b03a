//! When a run ends before its last epoch, and whose epoch's weights it leaves.

use std::time::{Duration, Instant};

use candle_core::Tensor;
use kenami_domain::{
    metrics::{CurveRow, StopReason},
    run_config::{Keep, RunConfig, StopConfig, StopMetric},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    observer::{Event, Observer},
};

/// Before a kept tensor in checkpoints.
const PREFIX: &str = "best.";

/// What a checkpoint remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The best figure so far and its epoch.
    best: Option<(f64, u32)>,
    /// Wall-clock seconds of training so far, over all sittings.
    seconds: f64,
}

/// Follows `[stop]` through a run.
pub(crate) struct Stop {
    config: StopConfig,
    progress: Progress,
    /// Seconds of the sittings before this one.
    earlier: f64,
    began: Instant,
    /// The best epoch's weights, where they shall be kept.
    kept: Option<Vec<(String, Tensor)>>,
}

impl Stop {
    /// At the start of training, or with what a checkpoint knew.
    pub(crate) fn new(config: &RunConfig, progress: Progress) -> Self {
        Self { config: config.stop.clone(), earlier: progress.seconds, progress, began: Instant::now(), kept: None }
    }

    /// Fails where the figure is of a head that there is not.
    pub(crate) fn check_head(&self, heads: &[&str]) -> Result<()> {
        match &self.config.head {
            Some(head) if !heads.contains(&head.as_str()) => {
                Err(Error::Dataset(format!("stop.head = \"{head}\", but the heads are: {}", heads.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// When the wall-clock budget is spent.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let budget = Duration::try_from_secs_f64(self.config.minutes * 60.0).ok().filter(|budget| !budget.is_zero())?;
        Some(self.began + budget.saturating_sub(Duration::from_secs_f64(self.earlier)))
    }

    /// Takes an epoch's curves into account; whether its weights are to be kept, by [`Self::keep`].
    pub(crate) fn epoch(&mut self, epoch: u32, rows: &[CurveRow], observer: &dyn Observer) -> bool {
        self.progress.seconds = self.earlier + self.began.elapsed().as_secs_f64();
        let Some(figure) = self.figure(rows) else {
            if epoch == 1 && (self.config.patience > 0 || self.config.keep == Keep::Best) {
                let what = "[stop] has nothing to go by: the validation part has no answers; the last weights are left";
                observer.event(Event::Warning(what.to_owned()));
            }
            return false;
        };
        let is_best = self.progress.best.is_none_or(|(best, _)| match self.config.metric {
            StopMetric::Accuracy => figure > best,
            StopMetric::Loss => figure < best,
        });
        if is_best {
            self.progress.best = Some((figure, epoch));
        }
        is_best && self.config.keep == Keep::Best
    }

    /// The validation figure of an epoch: of the named head, else the mean over all.
    fn figure(&self, rows: &[CurveRow]) -> Option<f64> {
        let suffix = format!("/{}", self.config.metric);
        let of_head = |series: &str| {
            series
                .strip_suffix(&suffix)
                .is_some_and(|head| self.config.head.as_ref().is_none_or(|wanted| wanted == head))
        };
        let rows = rows.iter().filter(|row| row.split == "validation" && of_head(&row.series));
        let figures: Vec<f64> = rows.map(|row| row.value).collect();
        (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
    }

    /// Why the run ends after this epoch, if it does.
    pub(crate) fn reason(&self, epoch: u32) -> Option<StopReason> {
        if self.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
            return Some(StopReason::Minutes);
        }
        let (_, best) = self.progress.best?;
        (self.config.patience > 0 && epoch - best >= self.config.patience).then_some(StopReason::Patience)
    }

    /// Keeps the weights of the epoch just judged.
    pub(crate) fn keep(&mut self, weights: Vec<(String, Tensor)>) {
        self.kept = Some(weights);
    }

    /// The weights to leave and their epoch, where they are not the last ones.
    pub(crate) fn kept(&self) -> Option<(&[(String, Tensor)], u32)> {
        Some((self.kept.as_deref()?, self.progress.best?.1))
    }

    /// For a checkpoint.
    pub(crate) fn save(&self) -> (Progress, Vec<(String, Tensor)>) {
        let kept = self.kept.iter().flatten();
        (self.progress.clone(), kept.map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor.clone())).collect())
    }

    /// Takes the kept weights of these names from a checkpoint, if it has any.
    ///
    /// # Errors
    /// A tensor is missing.
    pub(crate) fn restore(&mut self, names: &[String], find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        if self.progress.best.is_some() && self.config.keep == Keep::Best {
            let kept = names.iter().map(|name| Ok((name.clone(), find(&format!("{PREFIX}{name}"))?)));
            self.kept = Some(kept.collect::<Result<_>>()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::run_config::RunConfig;

    use super::*;
    use crate::observer::Silent;

    fn stop(text: &str) -> Stop {
        Stop::new(&RunConfig::from_toml(text).unwrap(), Progress::default())
    }

    fn rows(epoch: u32, figures: &[(&str, f64)]) -> Vec<CurveRow> {
        let row = |(series, value): &(&str, f64)| CurveRow {
            epoch,
            split: "validation".to_owned(),
            series: (*series).to_owned(),
            value: *value,
        };
        figures.iter().map(row).collect()
    }

    #[test]
    fn patience_counts_epochs_since_the_best_mean() {
        let mut stop = stop("[stop]\npatience = 2\nkeep = \"best\"\n");
        let figures = [(0.5, 0.5), (0.9, 0.3), (0.4, 0.6), (0.5, 0.5)];
        let outcome = figures.iter().zip(1..).map(|((breed, ear), epoch)| {
            let best = stop.epoch(epoch, &rows(epoch, &[("breed/accuracy", *breed), ("ear/accuracy", *ear)]), &Silent);
            (best, stop.reason(epoch))
        });
        let outcome: Vec<_> = outcome.collect();
        // Means: .5, .6, .5, .5.
        assert_eq!(outcome, [(true, None), (true, None), (false, None), (false, Some(StopReason::Patience))]);
    }

    #[test]
    fn a_loss_falls_and_a_named_head_counts_alone() {
        let mut stop = stop("[stop]\npatience = 1\nmetric = \"loss\"\nhead = \"ear\"\nkeep = \"best\"\n");
        assert!(stop.epoch(1, &rows(1, &[("breed/loss", 1.0), ("ear/loss", 2.0)]), &Silent));
        assert!(stop.epoch(2, &rows(2, &[("breed/loss", 9.0), ("ear/loss", 1.5)]), &Silent));
        assert!(!stop.epoch(3, &rows(3, &[("breed/loss", 0.1), ("ear/loss", 1.5)]), &Silent));
        assert_eq!(stop.reason(3), Some(StopReason::Patience));
        assert!(stop.check_head(&["breed"]).is_err() && stop.check_head(&["ear"]).is_ok());
    }

    #[test]
    fn the_budget_counts_earlier_sittings() {
        let config = RunConfig::from_toml("[stop]\nminutes = 1\n").unwrap();
        let fresh = Stop::new(&config, Progress::default());
        assert!(fresh.deadline().unwrap() > Instant::now() && fresh.reason(1).is_none());
        let spent = Stop::new(&config, Progress { seconds: 61.0, ..Progress::default() });
        assert_eq!(spent.reason(1), Some(StopReason::Minutes));
        assert!(stop("").deadline().is_none());
    }
}
