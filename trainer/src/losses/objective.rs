//! The sum that a step descends on.

use candle_core::{Device, Tensor, backprop::GradStore};
use kenami_domain::run_config::{LossConfig, RunConfig};

use super::{CenterLoss, Weights, batch_hard_triplet, masked_mean, per_photo};
use crate::{
    data::HeadData,
    error::{Error, Result},
    optim::Parameter,
};

/// Name of the centres in checkpoints.
const CENTERS: &str = "loss.centers";

/// What a batch says: everything in the order of its photos, per head in the order of the heads.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// `[n, width]`, for the losses on features.
    pub features: &'a Tensor,
    /// Per head `[n, classes]`.
    pub logits: &'a [Tensor],
    /// Per head `[n, classes]`.
    pub targets: &'a [Tensor],
    /// Per head `[n]`: 1 where the photo counts, else 0 (or, for photos of another set, something between).
    pub masks: &'a [Tensor],
    /// The photos' classes for the losses on features: answers of head [`Objective::class_head`].
    pub classes: &'a [Option<u32>],
}

/// One head's part of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadLoss {
    /// Mean over the photos that count, without the head's weight.
    pub loss: f32,
    /// Sum of their masks.
    pub count: f32,
}

/// What a batch adds up to.
#[derive(Debug)]
pub struct Total {
    /// The sum to descend on; absent where no photo has an answer.
    pub sum: Option<Tensor>,
    /// Per head; absent where no photo has an answer.
    pub heads: Vec<Option<HeadLoss>>,
    /// Center loss without its factor.
    pub center: Option<f32>,
    /// Triplet loss without its factor.
    pub triplet: Option<f32>,
}

/// Weighed losses of all heads, plus center loss and triplet loss on the pooled features.
#[derive(Debug, Clone)]
pub struct Objective {
    config: LossConfig,
    names: Vec<kenami_domain::run_config::LossName>,
    weights: Weights,
    center: Option<CenterLoss>,
    class_head: Option<usize>,
}

impl Objective {
    /// For these heads on features of `width`.
    ///
    /// # Errors
    /// A loss on features is asked for, and no head gives its classes.
    pub fn new(config: &RunConfig, heads: &[HeadData], width: usize, device: &Device) -> Result<Self> {
        let loss = config.loss.clone();
        let weighed: Vec<(f64, bool)> = heads.iter().map(|head| (head.config.weight, head.annotated)).collect();
        let class_head = class_head(config, heads)?;
        let center = match class_head {
            Some(head) if loss.center > 0.0 => {
                Some(CenterLoss::new(heads[head].labels.len(), width, loss.center_lr, device)?)
            }
            _ => None,
        };
        Ok(Self {
            names: heads.iter().map(|head| head.config.loss).collect(),
            weights: Weights::new(&loss, &weighed, device)?,
            config: loss,
            center,
            class_head,
        })
    }

    /// The head whose answers are the classes of losses on features and of samplers.
    pub fn class_head(&self) -> Option<usize> {
        self.class_head
    }

    /// What the optimiser moves along with the weights. The centres are not among them: [`Self::after_backward`].
    pub fn parameters(&self) -> Vec<Parameter> {
        self.weights.parameters()
    }

    /// The learned log-variances per head, if weights are learned.
    ///
    /// # Errors
    /// They cannot be read from the device.
    pub fn log_variances(&self) -> Result<Option<Vec<f32>>> {
        self.weights.log_variances()
    }

    /// The batch's loss.
    ///
    /// # Errors
    /// The shapes disagree.
    pub fn total(&self, batch: &Batch<'_>) -> Result<Total> {
        let mut total = Total { sum: None, heads: Vec::with_capacity(self.names.len()), center: None, triplet: None };
        for (i, name) in self.names.iter().enumerate() {
            let losses = per_photo(*name, &batch.logits[i], &batch.targets[i])?;
            let Some(loss) = masked_mean(&losses, &batch.masks[i])? else {
                total.heads.push(None);
                continue;
            };
            let count = batch.masks[i].sum_all()?.to_scalar()?;
            total.heads.push(Some(HeadLoss { loss: loss.to_scalar()?, count }));
            total.add(self.weights.weighed(i, &loss)?)?;
        }
        if let Some(center) = &self.center
            && let Some(loss) = center.loss(batch.features, batch.classes)?
        {
            total.center = Some(loss.to_scalar()?);
            total.add((loss * self.config.center)?)?;
        }
        if self.config.triplet > 0.0
            && let Some(loss) = batch_hard_triplet(batch.features, batch.classes, self.config.triplet_margin)?
        {
            total.triplet = Some(loss.to_scalar()?);
            total.add((loss * self.config.triplet)?)?;
        }
        Ok(total)
    }

    /// Moves the centres, with the gradients of [`Total::sum`]; once per batch.
    ///
    /// # Errors
    /// The gradients are of something else.
    pub fn after_backward(&self, gradients: &GradStore) -> Result<()> {
        if let Some(center) = &self.center {
            center.step(gradients, self.config.center)?;
        }
        Ok(())
    }

    /// Brings learned weights back into their bounds; after each step of the optimiser.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn after_step(&self) -> Result<()> {
        Ok(self.weights.project()?)
    }

    /// What a checkpoint keeps besides the parameters, by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.center.iter().map(|center| (CENTERS.to_owned(), center.centers().as_tensor().clone())).collect()
    }

    /// Takes the state from a checkpoint, through `find` by name.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn restore(&self, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        if let Some(center) = &self.center {
            center.centers().set(&find(CENTERS)?)?;
        }
        Ok(())
    }
}

impl Total {
    fn add(&mut self, loss: Tensor) -> candle_core::Result<()> {
        self.sum = Some(match self.sum.take() {
            Some(sum) => (sum + loss)?,
            None => loss,
        });
        Ok(())
    }
}

/// The head named in `loss.of`, else the first of a given attribute.
fn class_head(config: &RunConfig, heads: &[HeadData]) -> Result<Option<usize>> {
    let found = match &config.loss.of {
        Some(of) => heads.iter().position(|head| head.attribute == *of),
        None => heads.iter().position(|head| !head.annotated),
    };
    let asked = config.loss.of.is_some() || config.loss.center > 0.0 || config.loss.triplet > 0.0;
    if found.is_none() && asked {
        let known: Vec<&str> = heads.iter().map(|head| head.attribute.as_str()).collect();
        return Err(Error::Dataset(format!(
            "loss.of: no head gives the classes that it asks for; name one of {}",
            known.join(", ")
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use candle_core::Var;
    use kenami_domain::run_config::HeadConfig;

    use super::*;

    fn head(attribute: &str, annotated: bool, weight: f64) -> HeadData {
        HeadData {
            attribute: attribute.to_owned(),
            annotated,
            config: HeadConfig { weight, ..HeadConfig::default() },
            labels: vec!["a".to_owned(), "b".to_owned()],
            targets: Vec::new(),
            mask: Vec::new(),
            truth: Vec::new(),
        }
    }

    fn tensor(rows: &[[f32; 2]]) -> Tensor {
        Tensor::from_vec(rows.concat(), (rows.len(), 2), &Device::Cpu).unwrap()
    }

    #[test]
    fn it_is_the_sum_of_its_parts_and_moves_features_and_centres() {
        let config = RunConfig::from_toml(
            "[loss]\nattributes = 0.5\ncenter = 0.1\ncenter_lr = 0.3\ntriplet = 0.7\ntriplet_margin = 1.0\n",
        )
        .unwrap();
        let heads = [head("ear", true, 2.0), head("breed", false, 3.0), head("coat", true, 1.0)];
        let objective = Objective::new(&config, &heads, 2, &Device::Cpu).unwrap();
        assert_eq!(objective.class_head(), Some(1));
        let features = Var::from_tensor(&tensor(&[[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]])).unwrap();
        let logits = [[[0.0, 0.0]; 3], [[0.0, 0.0]; 3], [[9.0, 0.0]; 3]].map(|rows| tensor(&rows));
        let targets = [0; 3].map(|_| tensor(&[[1.0, 0.0]; 3]));
        let masks = [[1f32, 0.0, 1.0], [1.0; 3], [0.0; 3]].map(|mask| Tensor::new(&mask, &Device::Cpu).unwrap());
        let classes = [Some(0), Some(0), Some(1)];
        let (logits, targets, masks, classes) = (&logits, &targets, &masks, &classes);
        let total =
            objective.total(&Batch { features: features.as_tensor(), logits, targets, masks, classes }).unwrap();
        let ln2 = 2f32.ln();
        assert_eq!(total.heads[2], None);
        assert_eq!(total.heads[0].unwrap().count, 2.0);
        // Centres at 0: the mean of the squared norms 1, 4 and 1/2.
        assert_relative_eq!(total.center.unwrap(), 5.5 / 3.0, epsilon = 1e-6);
        let sum = total.sum.unwrap();
        let expected = 2.0 * 0.5 * ln2 + 3.0 * ln2 + 0.1 * total.center.unwrap() + 0.7 * total.triplet.unwrap();
        assert_relative_eq!(sum.to_scalar::<f32>().unwrap(), expected, epsilon = 1e-5);
        let gradients = sum.backward().unwrap();
        assert!(gradients.get(features.as_tensor()).is_some());
        objective.after_backward(&gradients).unwrap();
        let state = objective.state();
        // .3 * 2 x / 3 of the class's photos.
        assert_relative_eq!(state[0].1.to_vec2::<f32>().unwrap()[0][1], 0.3 * 2.0 * 2.0 / 3.0, epsilon = 1e-6);
        let again = Objective::new(&config, &heads, 2, &Device::Cpu).unwrap();
        again.restore(|name| Ok(state.iter().find(|(n, _)| n == name).unwrap().1.copy().unwrap())).unwrap();
        assert_eq!(again.state()[0].1.to_vec2::<f32>().unwrap(), state[0].1.to_vec2::<f32>().unwrap());
    }

    #[test]
    fn losses_on_features_need_a_head_with_classes() {
        let config = |text: &str| RunConfig::from_toml(text).unwrap();
        let new = |text: &str, heads: &[HeadData]| Objective::new(&config(text), heads, 2, &Device::Cpu);
        let ear = [head("ear", true, 1.0)];
        assert!(new("[loss]\ncenter = 0.1\n", &ear).is_err());
        assert_eq!(new("[loss]\ncenter = 0.1\nof = \"ear\"\n", &ear).unwrap().class_head(), Some(0));
        assert!(new("[loss]\nof = \"coat\"\n", &ear).unwrap_err().to_string().contains("ear"));
        assert_eq!(new("", &ear).unwrap().class_head(), None);
    }
}
