//! Settings that go well with what is trained.

use super::{AugmentPolicy, OptimizerName, RunConfig, ScheduleName, TrainPart};

impl RunConfig {
    /// Trains `part`, with the epochs, rates and averages that are a sane beginning for it; everything else stays.
    pub fn take_recipe(&mut self, part: TrainPart) {
        let usual = Self::default();
        self.model.train = part;
        self.model.frozen_norm = part != TrainPart::Heads;
        self.model.dropout = usual.model.dropout;
        self.evaluate.image_size = usual.evaluate.image_size;
        if part == TrainPart::Heads {
            // Features that are pooled already leave nothing to attend to.
            self.model.attention = usual.model.attention;
        }
        (self.epochs, self.batch_size, self.optimizer, self.schedule, self.augment) =
            (usual.epochs, usual.batch_size, usual.optimizer, usual.schedule, usual.augment);
        match part {
            TrainPart::Heads => {}
            TrainPart::LastStage => {
                self.epochs = 8;
                self.schedule.freeze_epochs = 2;
                self.optimizer.ema = 0.99;
            }
            TrainPart::All => self.train_all(),
        }
    }

    /// What did best on held-out photos among the recipes of docs/training.md (C): long, with strong augmentation, small steps
    /// near the input, judged by an average of the weights on larger photos than it learns from.
    fn train_all(&mut self) {
        self.epochs = 12;
        self.model.dropout = 0.2;
        let optimizer = &mut self.optimizer;
        optimizer.name = OptimizerName::AdamW;
        optimizer.lr = 2e-3;
        optimizer.trunk_lr = 0.1;
        optimizer.layer_decay = 0.85;
        optimizer.weight_decay = 0.02;
        optimizer.ema = 0.998;
        optimizer.clip_norm = 5.0;
        self.schedule.name = ScheduleName::Cosine;
        self.schedule.warmup_epochs = 1.0;
        self.schedule.freeze_epochs = 1;
        self.augment.policy = AugmentPolicy::RandAugment;
        self.augment.magnitude = 7;
        self.augment.crop_scale = [0.5, 1.0];
        self.evaluate.image_size = 256;
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
