//! The learning rate of each step.

use std::f64::consts::PI;

use kenami_domain::run_config::{ScheduleConfig, ScheduleName};

use crate::error::{Error, Result};

/// Schedules that this version runs.
const AVAILABLE: &str = "constant, step, one-cycle, cosine";

/// A schedule laid over the steps of a run.
#[derive(Debug, Clone)]
pub struct Schedule {
    config: ScheduleConfig,
    lr: f64,
    steps_per_epoch: usize,
    warmup: usize,
    /// Steps after warm-up.
    shaped: usize,
}

/// Whether this version runs the schedule.
///
/// # Errors
/// It does not.
pub(crate) fn check(config: &ScheduleConfig) -> Result<()> {
    match config.name {
        ScheduleName::Constant | ScheduleName::Step | ScheduleName::OneCycle | ScheduleName::Cosine => Ok(()),
        ScheduleName::CosineRestarts | ScheduleName::Plateau => Err(Error::Unavailable {
            what: format!("schedule.name = \"{}\"", config.name),
            available: AVAILABLE.to_owned(),
        }),
    }
}

impl Schedule {
    /// Over `epochs` of `steps_per_epoch` steps, at most at `lr`.
    ///
    /// # Errors
    /// The schedule is not available.
    pub fn new(config: &ScheduleConfig, lr: f64, epochs: u32, steps_per_epoch: usize) -> Result<Self> {
        check(config)?;
        let total = epochs as usize * steps_per_epoch;
        let warmup = ((config.warmup_epochs * steps_per_epoch as f64).round() as usize).min(total);
        Ok(Self { config: config.clone(), lr, steps_per_epoch, warmup, shaped: total - warmup })
    }

    /// The rate of step `step`, from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / (self.warmup + 1) as f64;
        }
        let step = step - self.warmup;
        // A schedule of one step has only its beginning.
        let progress = step as f64 / self.shaped.saturating_sub(1).max(1) as f64;
        self.lr * self.shape(step, progress.min(1.0))
    }

    /// The rate as a share of the highest.
    fn shape(&self, step: usize, progress: f64) -> f64 {
        let config = &self.config;
        match config.name {
            ScheduleName::Step => {
                let drops = step as f64 / (config.step_epochs * self.steps_per_epoch as f64);
                config.gamma.powf(drops.floor())
            }
            ScheduleName::Cosine => between(1.0, config.min_ratio, progress),
            ScheduleName::OneCycle if progress < config.rise => {
                between(1.0 / config.start_div, 1.0, progress / config.rise)
            }
            ScheduleName::OneCycle => {
                let fall = if config.rise < 1.0 { (progress - config.rise) / (1.0 - config.rise) } else { 0.0 };
                between(1.0, 1.0 / config.final_div, fall)
            }
            ScheduleName::Constant | ScheduleName::CosineRestarts | ScheduleName::Plateau => 1.0,
        }
    }
}

/// From `a` to `b` along half a cosine.
fn between(a: f64, b: f64, progress: f64) -> f64 {
    b + (a - b) * (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn schedule(name: ScheduleName, epochs: u32, steps: usize) -> Schedule {
        Schedule::new(&ScheduleConfig { name, ..Default::default() }, 0.1, epochs, steps).unwrap()
    }

    #[test]
    fn one_cycle_rises_to_the_top_and_falls_to_nearly_nothing() {
        // 101 steps: progress is the step in percent.
        let cycle = schedule(ScheduleName::OneCycle, 1, 101);
        assert_relative_eq!(cycle.rate(0), 0.1 / 25.0, epsilon = 1e-12);
        assert_relative_eq!(cycle.rate(25), 0.1, epsilon = 1e-12);
        assert_relative_eq!(cycle.rate(100), 0.1 / 1e5, epsilon = 1e-12);
        // Half-way up a half cosine is the mean of both ends.
        let half = Schedule { config: ScheduleConfig { rise: 0.5, ..Default::default() }, ..cycle.clone() };
        assert_relative_eq!(half.rate(25), (0.1 + 0.004) / 2.0, epsilon = 1e-12);
        assert!((1..=25).all(|step| cycle.rate(step) > cycle.rate(step - 1)));
        assert!((26..=100).all(|step| cycle.rate(step) < cycle.rate(step - 1)));
    }

    #[test]
    fn cosine_step_and_constant() {
        let cosine = schedule(ScheduleName::Cosine, 1, 101);
        assert_relative_eq!(cosine.rate(0), 0.1, epsilon = 1e-12);
        assert_relative_eq!(cosine.rate(50), 0.05, epsilon = 1e-12);
        assert_relative_eq!(cosine.rate(100), 0.0, epsilon = 1e-12);
        let step = schedule(ScheduleName::Step, 9, 10);
        for (at, rate) in [(0, 0.1), (39, 0.1), (40, 0.01), (79, 0.01), (80, 0.001), (89, 0.001)] {
            assert_relative_eq!(step.rate(at), rate, epsilon = 1e-12);
        }
        let constant = schedule(ScheduleName::Constant, 2, 3);
        assert!((0..6).all(|step| constant.rate(step) == 0.1));
    }

    #[test]
    fn warm_up_is_linear_and_comes_before_the_shape() {
        let config = ScheduleConfig { name: ScheduleName::Cosine, warmup_epochs: 1.0, ..Default::default() };
        let schedule = Schedule::new(&config, 0.1, 3, 4).unwrap();
        for (at, share) in [(0, 0.2), (1, 0.4), (2, 0.6), (3, 0.8), (4, 1.0), (11, 0.0)] {
            assert_relative_eq!(schedule.rate(at), 0.1 * share, epsilon = 1e-12);
        }
    }

    #[test]
    fn every_schedule_works_from_one_step_on() {
        for name in ScheduleName::ALL {
            for (epochs, steps) in [(1, 1), (1, 2), (2, 1), (3, 2)] {
                for (rise, warmup_epochs) in [(0.0, 0.0), (0.25, 1.0), (1.0, 7.0)] {
                    let config = ScheduleConfig { name: *name, rise, warmup_epochs, ..Default::default() };
                    let Ok(schedule) = Schedule::new(&config, 0.1, epochs, steps) else {
                        assert!(matches!(name, ScheduleName::CosineRestarts | ScheduleName::Plateau));
                        continue;
                    };
                    let rates = (0..epochs as usize * steps).map(|step| schedule.rate(step));
                    assert!(rates.clone().all(|rate| (0.0..=0.1 + 1e-12).contains(&rate)), "{name} {epochs} {steps}");
                    assert!(rates.clone().next().unwrap() > 0.0, "{name}: the first step moves nothing");
                }
            }
        }
    }
}
