//! Settings that go well with what is trained.

use super::{RunConfig, TrainPart};

impl RunConfig {
    /// Trains `part`, with the epochs, rates and averages that are a sane beginning for it; everything else stays.
    pub fn take_recipe(&mut self, part: TrainPart) {
        let usual = Self::default();
        self.model.train = part;
        self.model.frozen_norm = part != TrainPart::Heads;
        (self.epochs, self.batch_size, self.optimizer, self.schedule, self.augment) =
            (usual.epochs, usual.batch_size, usual.optimizer, usual.schedule, usual.augment);
        match part {
            TrainPart::Heads => {}
            TrainPart::LastStage => {
                self.epochs = 8;
                self.schedule.freeze_epochs = 2;
                self.optimizer.ema = 0.99;
            }
            TrainPart::All => {
                self.epochs = 6;
                self.schedule.freeze_epochs = 1;
                self.optimizer.ema = 0.99;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_can_be_taken_back() {
        let mut config = RunConfig { seed: 7, ..RunConfig::default() };
        for part in TrainPart::ALL {
            config.take_recipe(*part);
            config.validate().unwrap();
            assert_eq!(config.model.train, *part);
            assert_eq!(config.seed, 7);
        }
        config.take_recipe(TrainPart::Heads);
        assert_eq!(config, RunConfig { seed: 7, ..RunConfig::default() });
    }
}
