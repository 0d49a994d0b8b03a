//! Linear heads, and the loop that trains them: on frozen features, or along with a trunk that learns ([`crate::fine_tune`]).

use std::{borrow::Cow, time::Instant};

use candle_core::{DType, Device, Tensor, Var};
use kenami_domain::{
    metrics::CurveRow,
    run_config::{LossName, RunConfig},
};

use crate::{
    attention::dropout,
    augment::Mix,
    checkpoint::State,
    data::HeadData,
    ema::Ema,
    error::{Error, Result},
    fine_tune::{Fed, FineTune},
    losses::{self, Batch, Objective},
    lr_finder::{self, Found, Range},
    observer::{Event, Observer},
    optim::{Gradients, Optimizer, Parameter},
    sampler::Sampler,
    schedule::Schedule,
};

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
    rows: Vec<usize>,
    features: Tensor,
    /// Targets and mask per head.
    targets: Vec<(Tensor, Tensor)>,
    /// Trusted answers per head.
    truth: Vec<Vec<Option<usize>>>,
}

impl Part {
    fn new(features: &[f32], width: usize, heads: &[HeadData], rows: &[usize]) -> Result<Self> {
        Self::with(gather(features, width, rows)?, heads, rows)
    }

    /// Features that are computed again and again: there are none yet.
    fn without_features(heads: &[HeadData], rows: &[usize]) -> Result<Self> {
        Self::with(Tensor::zeros((rows.len(), 1), DType::F32, &Device::Cpu)?, heads, rows)
    }

    fn with(features: Tensor, heads: &[HeadData], rows: &[usize]) -> Result<Self> {
        let targets =
            heads.iter().map(|head| Ok((gather(&head.targets, head.labels.len(), rows)?, mask(&head.mask, rows)?)));
        Ok(Self {
            targets: targets.collect::<Result<_>>()?,
            truth: heads.iter().map(|head| rows.iter().map(|row| head.truth[*row]).collect()).collect(),
            features,
            rows: rows.to_vec(),
        })
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Draws the epoch's votes, where a head learns from drawn ones.
    fn draw_votes(&mut self, heads: &[HeadData], seed: u64, epoch: u32) -> Result<()> {
        for ((targets, _), head) in self.targets.iter_mut().zip(heads) {
            if let Cow::Owned(drawn) = head.epoch_targets(seed, epoch) {
                *targets = gather(&drawn, head.labels.len(), &self.rows)?;
            }
        }
        Ok(())
    }
}

/// These rows of a matrix.
fn gather(values: &[f32], width: usize, rows: &[usize]) -> Result<Tensor> {
    let picked = rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
    Ok(Tensor::from_vec(picked, (rows.len(), width), &Device::Cpu)?)
}

fn mask(values: &[f32], rows: &[usize]) -> Result<Tensor> {
    Ok(Tensor::from_vec(rows.iter().map(|row| values[*row]).collect::<Vec<_>>(), rows.len(), &Device::Cpu)?)
}

/// Loss and hits of one head over an epoch.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    loss: f64,
    learnt: f64,
    hits: usize,
    answered: usize,
}

/// Trains all heads together, epoch by epoch; on fixed features, or along with the trunk.
pub struct HeadTrainer<'a> {
    config: &'a RunConfig,
    data: &'a [HeadData],
    heads: Vec<LinearHead>,
    objective: Objective,
    optimizer: Optimizer,
    ema: Option<Ema>,
    schedule: Schedule,
    sampler: Sampler,
    train: Part,
    validation: Part,
    trunk: Option<FineTune>,
    /// After this no step begins.
    deadline: Option<Instant>,
}

/// Where a step stands, for messages.
#[derive(Debug, Clone, Copy)]
struct Place {
    epoch: u32,
    step: usize,
    lr: f64,
}

impl<'a> HeadTrainer<'a> {
    /// With heads that know nothing yet; `features` is `[items, width]`, `train` and `validation` are rows of it.
    ///
    /// # Errors
    /// There is nothing to train on, or the sampler lacks classes.
    pub fn new(
        config: &'a RunConfig,
        data: &'a [HeadData],
        features: &[f32],
        width: usize,
        (train, validation): (&[usize], &[usize]),
    ) -> Result<Self> {
        let train = Part::new(features, width, data, train)?;
        Self::build(config, data, width, (train, Part::new(features, width, data, validation)?), None)
    }

    /// As [`Self::new`], along with a trunk whose features change.
    pub(crate) fn fine_tuning(
        config: &'a RunConfig,
        data: &'a [HeadData],
        trunk: FineTune,
        (train, validation): (&[usize], &[usize]),
    ) -> Result<Self> {
        let parts = (Part::without_features(data, train)?, Part::without_features(data, validation)?);
        Self::build(config, data, trunk.width(), parts, Some(trunk))
    }

    fn build(
        config: &'a RunConfig,
        data: &'a [HeadData],
        width: usize,
        (train, validation): (Part, Part),
        trunk: Option<FineTune>,
    ) -> Result<Self> {
        if train.len() == 0 {
            return Err(Error::Dataset("there is no photo to train on".to_owned()));
        }
        let heads = data.iter().map(|head| LinearHead::zero(head.labels.len(), width));
        let heads = heads.collect::<Result<Vec<_>>>()?;
        let objective = Objective::new(config, data, width, &Device::Cpu)?;
        let of_heads = heads.iter().zip(data).flat_map(|(head, data)| {
            let name = |part: &str| format!("heads.{}.{part}", data.attribute);
            [
                Parameter::new(name("weight"), head.weight.clone(), true),
                Parameter::new(name("bias"), head.bias.clone(), false),
            ]
        });
        let of_trunk = trunk.as_ref().map(FineTune::parameters).unwrap_or_default();
        let of_masks = trunk.as_ref().map(|trunk| trunk.pool().parameters()).unwrap_or_default();
        // The trunk's come last: their gradients are not candle's.
        let parameters: Vec<Parameter> =
            of_heads.chain(objective.parameters()).chain(of_masks).chain(of_trunk).collect();
        let statistics = trunk.as_ref().map(FineTune::statistics).unwrap_or_default();
        let averaged = parameters.iter().map(|parameter| (parameter.name.clone(), parameter.var.clone()));
        let averaged = averaged.chain(statistics);
        let decay = config.optimizer.ema;
        let ema = (decay > 0.0).then(|| Ema::new(decay, averaged.collect::<Vec<_>>())).transpose()?;
        let unknown = vec![None; train.len()];
        let sampler = Sampler::new(config, objective.class_head().map_or(&unknown, |head| &train.truth[head]))?;
        let steps = sampler.batches_per_epoch().div_ceil(config.optimizer.accumulate as usize);
        Ok(Self {
            config,
            data,
            heads,
            objective,
            optimizer: Optimizer::new(&config.optimizer, parameters)?,
            ema,
            schedule: Schedule::new(&config.schedule, config.optimizer.lr, config.epochs, steps)?,
            sampler,
            train,
            validation,
            trunk,
            deadline: None,
        })
    }

    /// Lets the epoch end early from then on; one step is always made.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The heads, in the order of the data.
    pub fn heads(&self) -> &[LinearHead] {
        &self.heads
    }

    /// The trunk, where it is trained.
    pub(crate) fn trunk(&self) -> Option<&FineTune> {
        self.trunk.as_ref()
    }

    /// Optimiser steps so far.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Lets the moving average begin again from the weights as they are now: they were set from outside.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub(crate) fn restart_average(&mut self) -> Result<()> {
        self.ema.as_mut().map_or(Ok(()), Ema::restart)
    }

    /// Puts the moving average in the weights' place, if there is one: the end of training.
    ///
    /// # Errors
    /// The weights cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.ema.as_mut().map_or(Ok(()), Ema::swap)
    }

    /// Everything that a finished model consists of, by its names in checkpoints.
    fn weights(&self) -> Vec<(String, Var)> {
        let parameters = self.optimizer.parameters().iter();
        let parameters = parameters.map(|parameter| (parameter.name.clone(), parameter.var.clone()));
        parameters.chain(self.trunk.iter().flat_map(FineTune::statistics)).collect()
    }

    /// The names of [`Self::snapshot`]'s tensors.
    pub(crate) fn weight_names(&self) -> Vec<String> {
        self.weights().into_iter().map(|(name, _)| name).collect()
    }

    /// A copy of the weights by which the run would be judged now.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub(crate) fn snapshot(&mut self) -> Result<Vec<(String, Tensor)>> {
        self.finish()?;
        let copies = self.weights().into_iter().map(|(name, var)| Ok((name, var.as_tensor().copy()?)));
        let copies = copies.collect::<Result<_>>();
        self.finish()?;
        copies
    }

    /// Puts a snapshot in the weights' place: the end of training, instead of [`Self::finish`].
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub(crate) fn finish_with(&mut self, snapshot: &[(String, Tensor)]) -> Result<()> {
        for (name, var) in self.weights() {
            let found = snapshot.iter().find(|(of, _)| *of == name);
            var.set(&found.ok_or_else(|| Error::Run(format!("the best weights lack {name}")))?.1)?;
        }
        Ok(())
    }

    /// Writes into `state` where training stands, and gives the tensors of a checkpoint.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub(crate) fn save(&self, state: &mut State) -> Result<Vec<(String, Tensor)>> {
        state.steps = self.optimizer.steps();
        state.plateau = Some(self.schedule.state());
        let mut tensors = self.optimizer.state()?;
        tensors.extend(self.objective.state());
        let statistics = self.trunk.iter().flat_map(FineTune::statistics);
        tensors.extend(statistics.map(|(name, var)| (name, var.as_tensor().clone())));
        if let Some(ema) = &self.ema {
            state.averaged = ema.updates();
            tensors.extend(ema.state()?);
        }
        Ok(tensors)
    }

    /// Goes back to where a checkpoint stands.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub(crate) fn restore(&mut self, state: &State, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        self.optimizer.restore(state.steps, &find)?;
        self.objective.restore(&find)?;
        self.trunk.as_ref().map_or(Ok(()), |trunk| trunk.restore(&find))?;
        if let Some(plateau) = state.plateau {
            self.schedule.restore(plateau);
        }
        self.ema.as_mut().map_or(Ok(()), |ema| ema.restore(state.averaged, &find))
    }

    /// One pass over the training part, then a look at the validation part; `epoch` counts from 1. Returns the curves'
    /// rows and the last learning rate.
    ///
    /// # Errors
    /// The observer cancelled, or a loss is no longer a number.
    pub fn epoch(&mut self, epoch: u32, observer: &dyn Observer) -> Result<(Vec<CurveRow>, f64)> {
        self.train.draw_votes(self.data, self.config.seed, epoch)?;
        let mut tallies = vec![Tally::default(); self.heads.len()];
        let mut lr = 0.0;
        let batches = self.begin(epoch);
        let groups = batches.chunks(self.config.optimizer.accumulate as usize);
        let (steps, epochs) = (groups.len(), self.config.epochs);
        for (step, group) in groups.enumerate() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            if step > 0 && self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            lr = self.schedule.rate(self.optimizer.steps() as usize);
            let place = Place { epoch, step: step + 1, lr };
            self.step(group, &mut tallies, place)?;
            observer.event(Event::Step { epoch, epochs, step: step + 1, steps });
        }
        let mut rows = self.rows(epoch, "train", &tallies);
        let validation = self.validate(observer)?;
        if let Some(loss) = mean_loss(&validation) {
            self.schedule.report(loss, self.optimizer.steps() as usize);
        }
        rows.extend(self.rows(epoch, "validation", &validation));
        rows.push(CurveRow { epoch, split: "train".to_owned(), series: "lr".to_owned(), value: lr });
        Ok((rows, lr))
    }

    /// The batches of an epoch, as rows of the training part; the trunk's loader begins to read them.
    fn begin(&mut self, epoch: u32) -> Vec<Vec<u32>> {
        let batches = self.sampler.epoch(epoch);
        if let Some(trunk) = &mut self.trunk {
            let rows = |batch: &Vec<u32>| batch.iter().map(|photo| self.train.rows[*photo as usize]).collect();
            trunk.begin(epoch, &batches.iter().map(rows).collect::<Vec<_>>());
        }
        batches
    }

    /// Searches a learning rate: trains batch after batch at rising rates. The trainer is of no use afterwards.
    ///
    /// # Errors
    /// The observer cancelled, or a photo cannot be read.
    pub(crate) fn find_lr(&mut self, range: Range, observer: &dyn Observer) -> Result<Found> {
        let (mut epoch, mut step) = (0, 0);
        let mut batches = Vec::new().into_iter();
        lr_finder::find(range, |lr| {
            loop {
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
                let Some(batch) = batches.next() else {
                    if epoch > 0 && step == 0 {
                        return Err(Error::Dataset("there is no answer to learn from".to_owned()));
                    }
                    epoch += 1;
                    self.train.draw_votes(self.data, self.config.seed, epoch)?;
                    batches = self.begin(epoch).into_iter();
                    continue;
                };
                let mut tallies = vec![Tally::default(); self.heads.len()];
                match self.step(&[batch], &mut tallies, Place { epoch, step: step + 1, lr }) {
                    // What the search looks for.
                    Err(Error::Diverged { .. }) => return Ok(f64::NAN),
                    other => other?,
                }
                // A batch without answers teaches nothing of the rate.
                let Some(loss) = mean_loss(&tallies) else { continue };
                step += 1;
                observer.event(Event::Step { epoch: 1, epochs: 1, step, steps: range.steps as usize });
                return Ok(loss);
            }
        })
    }

    /// One step of the optimiser on the mean gradient of these batches.
    fn step(&mut self, batches: &[Vec<u32>], tallies: &mut [Tally], place: Place) -> Result<()> {
        let gradients = match batches {
            [batch] => self.gradients(batch, 0, tallies, place)?,
            batches => {
                let mut sum = Gradients::default();
                for (i, batch) in batches.iter().enumerate() {
                    sum.add(&self.gradients(batch, i, tallies, place)?)?;
                }
                sum
            }
        };
        self.optimizer.step(&gradients, place.lr)?;
        self.objective.after_step()?;
        self.ema.as_mut().map_or(Ok(()), Ema::update)
    }

    /// The gradients of batch `part` of a step; none where no photo has an answer.
    fn gradients(&mut self, batch: &[u32], part: usize, tallies: &mut [Tally], place: Place) -> Result<Gradients> {
        let index = Tensor::new(batch, &Device::Cpu)?;
        let Fed { features, step: pass, mix } = match &mut self.trunk {
            Some(trunk) => {
                let rows: Vec<usize> = batch.iter().map(|photo| self.train.rows[*photo as usize]).collect();
                trunk.next(place.epoch, &rows, place.epoch <= self.config.schedule.freeze_epochs)?
            }
            None => Fed { features: self.train.features.index_select(&index, 0)?, step: None, mix: None },
        };
        let passes = self.optimizer.steps() * u64::from(self.config.optimizer.accumulate) + part as u64;
        let features = dropout(&features, self.config.model.dropout, self.config.seed, passes)?;
        let (mut logits, mut targets, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        for (i, head) in self.heads.iter().enumerate() {
            logits.push(head.forward(&features)?);
            let of_photos = self.train.targets[i].0.index_select(&index, 0)?;
            let (of_photos, mask) = mixed(mix.as_ref(), of_photos, self.train.targets[i].1.index_select(&index, 0)?)?;
            targets.push(of_photos);
            masks.push(mask);
            let truth = batch.iter().map(|row| self.train.truth[i][*row as usize]);
            tally(&mut tallies[i], &logits[i], truth)?;
        }
        let class = |row: &u32| Some(self.train.truth[self.objective.class_head()?][*row as usize]? as u32);
        let classes: Vec<Option<u32>> = batch.iter().map(class).collect();
        let (logits, targets, masks, classes) = (&logits, &targets, &masks, &classes);
        let total = self.objective.total(&Batch { features: &features, logits, targets, masks, classes })?;
        for (i, loss) in total.heads.iter().enumerate() {
            let Some(head) = loss else { continue };
            if !head.loss.is_finite() {
                let Place { epoch, step, lr } = place;
                return Err(Error::Diverged { head: self.data[i].attribute.clone(), loss: head.loss, epoch, step, lr });
            }
            tallies[i].loss += f64::from(head.loss) * f64::from(head.count);
            tallies[i].learnt += f64::from(head.count);
        }
        let parameters = self.optimizer.parameters();
        let Some(sum) = total.sum else { return Ok(Gradients::new(vec![None; parameters.len()])) };
        let store = sum.backward()?;
        self.objective.after_backward(&store)?;
        let Some(trunk) = &self.trunk else { return Ok(Gradients::of(parameters, &store)) };
        let of_trunk = trunk.gradients(pass, &store)?;
        let heads = &parameters[..parameters.len() - of_trunk.len()];
        let of_heads = heads.iter().map(|parameter| store.get(parameter.var.as_tensor()).map(Tensor::detach));
        Ok(Gradients::new(of_heads.chain(of_trunk).collect()))
    }

    /// The validation part under the weights that the run would leave now.
    fn validate(&mut self, observer: &dyn Observer) -> Result<Vec<Tally>> {
        self.finish()?;
        let tallies = self.judge(observer);
        self.finish()?;
        tallies
    }

    fn judge(&self, observer: &dyn Observer) -> Result<Vec<Tally>> {
        let mut tallies = vec![Tally::default(); self.heads.len()];
        if self.validation.len() == 0 {
            return Ok(tallies);
        }
        let features = match &self.trunk {
            Some(trunk) => trunk.features(&self.validation.rows, observer)?,
            None => self.validation.features.clone(),
        };
        for (i, head) in self.heads.iter().enumerate() {
            let logits = head.forward(&features)?.detach();
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

/// Targets `[n, classes]` and mask `[n]` of mixed photos.
fn mixed(mix: Option<&Mix>, targets: Tensor, mask: Tensor) -> Result<(Tensor, Tensor)> {
    let Some(mix) = mix else { return Ok((targets, mask)) };
    let (n, classes) = targets.dims2()?;
    let (mut values, mut of_mask) = (targets.flatten_all()?.to_vec1()?, mask.to_vec1()?);
    mix.targets(&mut values, &mut of_mask, classes);
    Ok((Tensor::from_vec(values, (n, classes), &Device::Cpu)?, Tensor::from_vec(of_mask, n, &Device::Cpu)?))
}

/// Mean over the heads that have a loss.
fn mean_loss(tallies: &[Tally]) -> Option<f64> {
    let losses = tallies.iter().filter(|tally| tally.learnt > 0.0).map(|tally| tally.loss / tally.learnt);
    let (sum, count) = losses.fold((0.0, 0.0), |(sum, count), loss| (sum + loss, count + 1.0));
    (count > 0.0).then(|| sum / count)
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
