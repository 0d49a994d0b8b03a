//! The learning rate of each step.

use std::f64::consts::PI;

use kenami_domain::run_config::{ScheduleConfig, ScheduleName};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// PyTorch's threshold: a loss counts as progress where it is below the best by more than this share of it.
const PROGRESS: f64 = 1e-4;
/// PyTorch's: a change of the rate smaller than this is not made.
const SMALLEST_CHANGE: f64 = 1e-8;

/// A schedule laid over the steps of a run.
#[derive(Debug, Clone)]
pub struct Schedule {
    config: ScheduleConfig,
    lr: f64,
    steps_per_epoch: usize,
    warmup: usize,
    /// Steps after warm-up.
    shaped: usize,
    plateau: Plateau,
}

/// What `plateau` remembers of the epochs so far; part of a checkpoint. Other schedules leave it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The rate.
    pub lr: f64,
    /// Lowest validation loss; absent before the first.
    pub best: Option<f64>,
    /// Epochs without progress since.
    pub bad_epochs: u32,
}

impl Schedule {
    /// Over `epochs` of `steps_per_epoch` steps, at most at `lr`.
    ///
    /// # Errors
    /// The rate is not a positive number.
    pub fn new(config: &ScheduleConfig, lr: f64, epochs: u32, steps_per_epoch: usize) -> Result<Self> {
        if !(lr.is_finite() && lr > 0.0) {
            return Err(Error::Run(format!("a learning rate of {lr}")));
        }
        let total = epochs as usize * steps_per_epoch;
        let warmup = ((config.warmup_epochs * steps_per_epoch as f64).round() as usize).min(total);
        let plateau = Plateau { lr, best: None, bad_epochs: 0 };
        Ok(Self { config: config.clone(), lr, steps_per_epoch, warmup, shaped: total - warmup, plateau })
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
            ScheduleName::CosineRestarts => self.restarts(step),
            ScheduleName::OneCycle if progress < config.rise => {
                between(1.0 / config.start_div, 1.0, progress / config.rise)
            }
            ScheduleName::OneCycle => {
                let fall = if config.rise < 1.0 { (progress - config.rise) / (1.0 - config.rise) } else { 0.0 };
                between(1.0, 1.0 / config.final_div, fall)
            }
            ScheduleName::Plateau => self.plateau.lr / self.lr,
            ScheduleName::Constant => 1.0,
        }
    }

    /// timm's cosine with warm restarts: `m + (decay^i - m) (1 + cos(pi t / T_i)) / 2` in period `i` of length
    /// `T_i = T_0 mul^i`, where `t` counts from the period's start.
    fn restarts(&self, step: usize) -> f64 {
        let config = &self.config;
        let mut period = (config.restart_epochs * self.steps_per_epoch as f64).round().max(1.0);
        let (mut t, mut highest) = (step as f64, 1.0);
        while t >= period {
            t -= period;
            period *= config.restart_mul;
            highest *= config.restart_decay;
        }
        between(highest, config.min_ratio, t / period)
    }

    /// Tells the validation loss at the end of an epoch, which `plateau` goes by (as PyTorch's `ReduceLROnPlateau` in its
    /// mode `min` with a relative threshold): after more than `patience` epochs without progress the rate is multiplied
    /// by `gamma`. Nothing happens during warm-up, with a loss that is not a number, and under other schedules.
    pub fn report(&mut self, validation_loss: f64, steps_done: usize) {
        if self.config.name != ScheduleName::Plateau || steps_done < self.warmup || validation_loss.is_nan() {
            return;
        }
        let plateau = &mut self.plateau;
        if plateau.best.is_none_or(|best| validation_loss < best * (1.0 - PROGRESS)) {
            plateau.best = Some(validation_loss);
            plateau.bad_epochs = 0;
            return;
        }
        plateau.bad_epochs += 1;
        if plateau.bad_epochs > self.config.patience {
            let lowest = self.lr * self.config.min_ratio;
            let lr = (plateau.lr * self.config.gamma).max(lowest);
            if plateau.lr - lr > SMALLEST_CHANGE {
                plateau.lr = lr;
            }
            plateau.bad_epochs = 0;
        }
    }

    /// What a checkpoint keeps: the step decides everything else.
    pub fn state(&self) -> Plateau {
        self.plateau
    }

    /// Takes the state from a checkpoint.
    pub fn restore(&mut self, state: Plateau) {
        self.plateau = state;
    }
}

/// From `a` to `b` along half a cosine.
fn between(a: f64, b: f64, progress: f64) -> f64 {
    b + (a - b) * (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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

    /// fixtures/objective.py: the first 50 rates of torch's and timm's schedules.
    #[derive(Deserialize)]
    struct Fixture {
        schedules: BTreeMap<String, Vec<f64>>,
        plateau_losses: Vec<f64>,
    }

    #[test]
    fn fifty_rates_agree_with_torch_and_timm() {
        let fixture: Fixture = serde_json::from_str(include_str!("../tests/fixtures/objective.json")).unwrap();
        let config = |name| ScheduleConfig { name, min_ratio: 0.02, gamma: 0.3, ..Default::default() };
        let restarts = |mul, decay| ScheduleConfig {
            restart_epochs: 1.0,
            restart_mul: mul,
            restart_decay: decay,
            ..config(ScheduleName::CosineRestarts)
        };
        // PyTorch's rise ends at step 0.3 * 60 - 1.
        let cycle =
            ScheduleConfig { rise: 17.0 / 59.0, start_div: 20.0, final_div: 2e4, ..config(ScheduleName::OneCycle) };
        for (name, config) in [
            ("constant", config(ScheduleName::Constant)),
            ("step", ScheduleConfig { step_epochs: 0.7, ..config(ScheduleName::Step) }),
            ("cosine", config(ScheduleName::Cosine)),
            ("one-cycle", cycle),
            ("restarts", restarts(1.0, 1.0)),
            ("restarts-2", restarts(2.0, 0.8)),
            ("warmup", ScheduleConfig { warmup_epochs: 0.9, ..config(ScheduleName::Constant) }),
        ] {
            let schedule = Schedule::new(&config, 0.1, 6, 10).unwrap();
            let expected = &fixture.schedules[name];
            assert_eq!(expected.len(), 50);
            for (step, rate) in expected.iter().enumerate() {
                assert_relative_eq!(schedule.rate(step), *rate, max_relative = 1e-9);
            }
        }
        let mut schedule = Schedule::new(&config(ScheduleName::Plateau), 0.1, 50, 3).unwrap();
        for (epoch, loss) in fixture.plateau_losses.iter().enumerate() {
            schedule.report(*loss, 3 * (epoch + 1));
            assert_relative_eq!(
                schedule.rate(3 * (epoch + 1)),
                fixture.schedules["plateau"][epoch],
                max_relative = 1e-9
            );
            let mut resumed = Schedule::new(&config(ScheduleName::Plateau), 0.1, 50, 3).unwrap();
            let state = serde_json::to_string(&schedule.state()).unwrap();
            resumed.restore(serde_json::from_str(&state).unwrap());
            schedule = resumed;
        }
    }

    #[test]
    fn every_schedule_works_from_one_step_on() {
        for name in ScheduleName::ALL {
            for (epochs, steps) in [(1, 1), (1, 2), (2, 1), (3, 2)] {
                for (rise, warmup_epochs) in [(0.0, 0.0), (0.25, 1.0), (1.0, 7.0)] {
                    let config = ScheduleConfig { name: *name, rise, warmup_epochs, ..Default::default() };
                    let schedule = Schedule::new(&config, 0.1, epochs, steps).unwrap();
                    let rates = (0..epochs as usize * steps).map(|step| schedule.rate(step));
                    assert!(rates.clone().all(|rate| (0.0..=0.1 + 1e-12).contains(&rate)), "{name} {epochs} {steps}");
                    assert!(rates.clone().next().unwrap() > 0.0, "{name}: the first step moves nothing");
                }
            }
        }
    }
}
