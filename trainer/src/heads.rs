//! Linear heads on frozen features.

use candle_core::{DType, Device, Tensor, Var};
use kenami_domain::{
    metrics::CurveRow,
    run_config::{LossName, RunConfig},
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    data::HeadData,
    error::{Error, Result},
    losses,
    observer::Observer,
    optim::{Optimizer, Parameter},
    schedule::Schedule,
};

/// Epoch `e` shuffles with stream `e` of the seed's numbers: a resumed run needs no generator state.
fn generator(seed: u64, epoch: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(epoch));
    rng
}

/// One linear head: `logits = x W^T + b`.
#[derive(Debug, Clone)]
pub struct LinearHead {
    /// `[classes, features]`.
    pub weight: Var,
    /// `[classes]`.
    pub bias: Var,
}

impl LinearHead {
    /// Weight and bias 0: the problem is convex, and what a random start puts into directions that the photos do not cover
    /// would stay there as noise.
    fn zero(classes: usize, features: usize) -> Result<Self> {
        let zeros = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu);
        Ok(Self { weight: zeros(&[classes, features])?, bias: zeros(&[classes])? })
    }

    /// `[batch, features]` to `[batch, classes]`.
    ///
    /// # Errors
    /// The shapes disagree.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.matmul(&self.weight.as_tensor().t()?)?.broadcast_add(self.bias.as_tensor())?)
    }
}

/// Probabilities of logits under a head's loss: softmax, or sigmoids brought to sum 1 where each value has its own.
pub fn probabilities(loss: LossName, logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raw = |x: f32| match loss {
        LossName::Bce => (1.0 / (1.0 + (-f64::from(x)).exp())).max(f64::MIN_POSITIVE),
        LossName::CrossEntropy | LossName::Kl => f64::from(x - highest).exp(),
    };
    let raw: Vec<f64> = logits.iter().map(|x| raw(*x)).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|p| p / total).collect()
}

/// Rows of the dataset that an epoch goes through, as tensors.
struct Part {
    features: Tensor,
    /// Targets and mask per head.
    targets: Vec<(Tensor, Tensor)>,
    /// Trusted answers per head.
    truth: Vec<Vec<Option<usize>>>,
}

impl Part {
    fn new(features: &[f32], width: usize, heads: &[HeadData], rows: &[usize]) -> Result<Self> {
        let gather = |values: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
        };
        let count = rows.len();
        let device = &Device::Cpu;
        let targets = heads.iter().map(|head| {
            let classes = head.labels.len();
            let targets = Tensor::from_vec(gather(&head.targets, classes), (count, classes), device)?;
            Ok((targets, Tensor::from_vec(gather(&head.mask, 1), count, device)?))
        });
        Ok(Self {
            targets: targets.collect::<Result<_>>()?,
            truth: heads.iter().map(|head| rows.iter().map(|row| head.truth[*row]).collect()).collect(),
            features: Tensor::from_vec(gather(features, width), (count, width), device)?,
        })
    }

    fn len(&self) -> usize {
        self.features.dims()[0]
    }
}

/// Loss and hits of one head over an epoch.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    loss: f64,
    learnt: f64,
    hits: usize,
    answered: usize,
}

/// Trains all heads together, epoch by epoch.
pub struct HeadTrainer<'a> {
    config: &'a RunConfig,
    data: &'a [HeadData],
    heads: Vec<LinearHead>,
    optimizer: Optimizer,
    schedule: Schedule,
    train: Part,
    validation: Part,
}

impl<'a> HeadTrainer<'a> {
    /// With heads that know nothing yet; `features` is `[items, width]`, `train` and `validation` are rows of it.
    ///
    /// # Errors
    /// The optimiser or schedule is not available, or there is nothing to train on.
    pub fn new(
        config: &'a RunConfig,
        data: &'a [HeadData],
        features: &[f32],
        width: usize,
        (train, validation): (&[usize], &[usize]),
    ) -> Result<Self> {
        if train.is_empty() {
            return Err(Error::Dataset("there is no photo to train on".to_owned()));
        }
        let heads = data.iter().map(|head| LinearHead::zero(head.labels.len(), width));
        let heads = heads.collect::<Result<Vec<_>>>()?;
        let parameters = heads.iter().zip(data).flat_map(|(head, data)| {
            let name = |part: &str| format!("heads.{}.{part}", data.attribute);
            [
                Parameter { name: name("weight"), var: head.weight.clone(), decays: true },
                Parameter { name: name("bias"), var: head.bias.clone(), decays: false },
            ]
        });
        let optimizer = Optimizer::new(&config.optimizer, parameters.collect())?;
        let steps = train.len().div_ceil(config.batch_size as usize);
        Ok(Self {
            config,
            data,
            heads,
            optimizer,
            schedule: Schedule::new(&config.schedule, config.optimizer.lr, config.epochs, steps)?,
            train: Part::new(features, width, data, train)?,
            validation: Part::new(features, width, data, validation)?,
        })
    }

    /// The heads, in the order of the data.
    pub fn heads(&self) -> &[LinearHead] {
        &self.heads
    }

    /// Weights and optimiser, to be stored and restored.
    pub fn optimizer(&mut self) -> &mut Optimizer {
        &mut self.optimizer
    }

    /// One pass over the training part, then a look at the validation part; `epoch` counts from 1. Returns the curves'
    /// rows and the last learning rate.
    ///
    /// # Errors
    /// The observer cancelled, or a loss is no longer a number.
    pub fn epoch(&mut self, epoch: u32, observer: &dyn Observer) -> Result<(Vec<CurveRow>, f64)> {
        let mut order: Vec<u32> = (0..self.train.len() as u32).collect();
        order.shuffle(&mut generator(self.config.seed, epoch));
        let mut tallies = vec![Tally::default(); self.heads.len()];
        let mut lr = 0.0;
        for (step, batch) in order.chunks(self.config.batch_size as usize).enumerate() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            lr = self.schedule.rate(self.optimizer.steps() as usize);
            self.step(batch, &mut tallies, (epoch, step + 1, lr))?;
        }
        let mut rows = self.rows(epoch, "train", &tallies);
        rows.extend(self.rows(epoch, "validation", &self.validate()?));
        rows.push(CurveRow { epoch, split: "train".to_owned(), series: "lr".to_owned(), value: lr });
        Ok((rows, lr))
    }

    fn step(&mut self, batch: &[u32], tallies: &mut [Tally], (epoch, step, lr): (u32, usize, f64)) -> Result<()> {
        let index = Tensor::new(batch, &Device::Cpu)?;
        let features = self.train.features.index_select(&index, 0)?;
        let mut total: Option<Tensor> = None;
        for (i, head) in self.heads.iter().enumerate() {
            let logits = head.forward(&features)?;
            let (targets, mask) = &self.train.targets[i];
            let (targets, mask) = (targets.index_select(&index, 0)?, mask.index_select(&index, 0)?);
            let losses = losses::per_photo(self.data[i].config.loss, &logits, &targets)?;
            let truth = batch.iter().map(|row| self.train.truth[i][*row as usize]);
            tally(&mut tallies[i], &logits, truth)?;
            let Some(loss) = losses::masked_mean(&losses, &mask)? else { continue };
            let value = loss.to_scalar::<f32>()?;
            if !value.is_finite() {
                let head = self.data[i].attribute.clone();
                return Err(Error::Diverged { head, loss: value, epoch, step, lr });
            }
            let count = f64::from(mask.sum_all()?.to_scalar::<f32>()?);
            tallies[i].loss += f64::from(value) * count;
            tallies[i].learnt += count;
            let weighted = (loss * self.data[i].config.weight)?;
            total = Some(match total {
                Some(total) => (total + weighted)?,
                None => weighted,
            });
        }
        match total {
            Some(total) => self.optimizer.step(&total.backward()?, lr),
            None => {
                self.optimizer.skip();
                Ok(())
            }
        }
    }

    fn validate(&self) -> Result<Vec<Tally>> {
        let mut tallies = vec![Tally::default(); self.heads.len()];
        if self.validation.len() == 0 {
            return Ok(tallies);
        }
        for (i, head) in self.heads.iter().enumerate() {
            let logits = head.forward(&self.validation.features)?.detach();
            let (targets, mask) = &self.validation.targets[i];
            let losses = losses::per_photo(self.data[i].config.loss, &logits, targets)?;
            tally(&mut tallies[i], &logits, self.validation.truth[i].iter().copied())?;
            if let Some(loss) = losses::masked_mean(&losses, mask)? {
                tallies[i].loss = f64::from(loss.to_scalar::<f32>()?);
                tallies[i].learnt = 1.0;
            }
        }
        Ok(tallies)
    }

    fn rows(&self, epoch: u32, split: &str, tallies: &[Tally]) -> Vec<CurveRow> {
        let mut rows = Vec::new();
        for (head, tally) in self.data.iter().zip(tallies) {
            let mut push = |series: &str, value: f64| {
                let series = format!("{}/{series}", head.attribute);
                rows.push(CurveRow { epoch, split: split.to_owned(), series, value });
            };
            if tally.learnt > 0.0 {
                push("loss", tally.loss / tally.learnt);
            }
            if tally.answered > 0 {
                push("accuracy", tally.hits as f64 / tally.answered as f64);
            }
        }
        rows
    }
}

fn tally(tally: &mut Tally, logits: &Tensor, truth: impl Iterator<Item = Option<usize>>) -> Result<()> {
    let predicted = logits.argmax(1)?.to_vec1::<u32>()?;
    for (predicted, truth) in predicted.into_iter().zip(truth) {
        if let Some(truth) = truth {
            tally.answered += 1;
            tally.hits += usize::from(predicted as usize == truth);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
