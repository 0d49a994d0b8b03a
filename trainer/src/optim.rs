//! Optimisers whose whole state can be stored and restored.
//!
//! On the processor a step is one pass over each parameter, its gradient and its state, in parallel: bound by memory. On
//! other devices it is put together from candle's operations.

use candle_core::{DType, Device, Tensor, Var};
use kenami_domain::run_config::{OptimizerConfig, OptimizerName};

use crate::error::Result;

mod composite;
mod fused;
mod gradients;

pub use gradients::Gradients;

/// A trained tensor (f32).
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name in checkpoints.
    pub name: String,
    /// The value.
    pub var: Var,
    /// Whether weight decay applies: weights yes, biases and norms no.
    pub decays: bool,
    /// Factor of the schedule's rate, see [`trunk_rate`].
    pub rate: f64,
    /// Whether it decays towards the value that it has when the optimiser is made (L2-SP: Li, Grandvalet and Davoine
    /// 2018) where the configuration has an `anchor`: pretrained weights yes, heads no.
    pub anchored: bool,
}

impl Parameter {
    /// One at the schedule's own rate and without an anchor.
    pub fn new(name: impl Into<String>, var: Var, decays: bool) -> Self {
        Self { name: name.into(), var, decays, rate: 1.0, anchored: false }
    }

    /// One of the pretrained trunk: at `rate` times the schedule's rate, anchored where it decays.
    pub fn pretrained(name: impl Into<String>, var: Var, decays: bool, rate: f64) -> Self {
        Self { name: name.into(), var, decays, rate, anchored: decays }
    }
}

/// The rate of a trunk's stage as a share of the schedule's rate: `trunk_lr layer_decay^d`, where `d` stages lie between
/// it and the heads (0 for the last).
pub fn trunk_rate(config: &OptimizerConfig, stages_above: u32) -> f64 {
    config.trunk_lr * config.layer_decay.powf(f64::from(stages_above))
}

/// What decay draws a parameter with and towards.
#[derive(Debug, Clone, Copy)]
struct Pull {
    strength: f64,
    anchored: bool,
}

/// One step's numbers, alike for every parameter of one rate.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Factor of the gradients: of clipping and of accumulation.
    scale: f64,
    lr: f64,
    pull: Pull,
    /// Which step this is, from 1: Adam's bias correction.
    number: u64,
}

/// A parameter's state: momentum (SGD), or means of gradients and of squared gradients (Adam, AdamW), zero at first; and
/// the value that it is anchored to.
#[derive(Debug)]
enum Slot {
    Host { moments: Vec<Vec<f32>>, anchor: Option<Vec<f32>> },
    Device { moments: Vec<Tensor>, anchor: Option<Tensor> },
}

/// SGD, Adam or AdamW as PyTorch defines them.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<Parameter>,
    slots: Vec<Slot>,
    steps: u64,
}

impl Optimizer {
    /// For these parameters, in this order. Anchored ones must have their pretrained values now, also where a checkpoint
    /// is restored afterwards: anchors are not part of the state.
    ///
    /// # Errors
    /// Memory for the state cannot be had, or a parameter is not f32.
    pub fn new(config: &OptimizerConfig, parameters: Vec<Parameter>) -> Result<Self> {
        let on_host = |parameter: &Parameter| matches!(parameter.var.device(), Device::Cpu);
        Self::with(config, parameters, on_host)
    }

    fn with(
        config: &OptimizerConfig,
        parameters: Vec<Parameter>,
        on_host: impl Fn(&Parameter) -> bool,
    ) -> Result<Self> {
        let count = if config.name == OptimizerName::Sgd { 1 } else { 2 };
        let slot = |parameter: &Parameter| -> Result<Slot> {
            let value = parameter.var.as_tensor().to_dtype(DType::F32)?;
            let anchored = parameter.anchored && config.anchor > 0.0;
            if on_host(parameter) {
                let anchor = anchored.then(|| value.flatten_all()?.to_vec1()).transpose()?;
                return Ok(Slot::Host { moments: vec![vec![0.0; value.elem_count()]; count], anchor });
            }
            let anchor = anchored.then(|| value.copy()).transpose()?;
            let moments = (0..count).map(|_| value.zeros_like()).collect::<candle_core::Result<_>>()?;
            Ok(Slot::Device { moments, anchor })
        };
        let slots = parameters.iter().map(slot).collect::<Result<_>>()?;
        Ok(Self { config: config.clone(), parameters, slots, steps: 0 })
    }

    /// One step along `gradients` at rate `lr` (times each parameter's own factor); a parameter without a gradient stays
    /// as it is. Clipping as configured; the result is the gradients' norm before it, if there is clipping.
    ///
    /// # Errors
    /// A gradient's shape is not its parameter's.
    pub fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<Option<f64>> {
        self.steps += 1;
        let mut scale = 1.0 / f64::from(gradients.batches().max(1));
        let mut norm = None;
        if self.config.clip_norm > 0.0 {
            let found = gradients.norm()?;
            // PyTorch's clip_grad_norm_.
            scale *= (self.config.clip_norm / (found + 1e-6)).min(1.0);
            norm = Some(found);
        }
        for (i, (parameter, slot)) in self.parameters.iter().zip(&mut self.slots).enumerate() {
            let Some(gradient) = gradients.get(i) else { continue };
            let anchored = parameter.anchored && self.config.anchor > 0.0;
            let strength = match (parameter.decays, anchored) {
                (_, true) => self.config.anchor,
                (true, false) => self.config.weight_decay,
                (false, false) => 0.0,
            };
            let pull = Pull { strength, anchored };
            let step = Step { scale, lr: lr * parameter.rate, pull, number: self.steps };
            match slot {
                Slot::Host { moments, anchor } => {
                    fused::update(&self.config, step, &parameter.var, gradient, moments, anchor.as_deref())?;
                }
                Slot::Device { moments, anchor } => {
                    composite::update(&self.config, step, &parameter.var, gradient, moments, anchor.as_ref())?;
                }
            }
        }
        Ok(norm)
    }

    /// Counts a step of a batch in which no photo has an answer: nothing moves, the schedule goes on.
    pub fn skip(&mut self) {
        self.steps += 1;
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is trained, in the order of the gradients.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Parameters and state by name, for a checkpoint.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::new();
        for (parameter, slot) in self.parameters.iter().zip(&self.slots) {
            state.push((parameter.name.clone(), parameter.var.as_tensor().clone()));
            let moments = match slot {
                Slot::Host { moments, .. } => {
                    let tensor = |moment: &Vec<f32>| Tensor::from_slice(moment, parameter.var.shape(), &Device::Cpu);
                    moments.iter().map(tensor).collect::<candle_core::Result<Vec<_>>>()?
                }
                Slot::Device { moments, .. } => moments.clone(),
            };
            let named = moments.into_iter().enumerate();
            state.extend(named.map(|(i, moment)| (format!("optimizer.{i}.{}", parameter.name), moment)));
        }
        Ok(state)
    }

    /// Takes parameters and state from a checkpoint, through `find` by name.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn restore(&mut self, steps: u64, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (parameter, slot) in self.parameters.iter().zip(&mut self.slots) {
            parameter.var.set(&find(&parameter.name)?.to_device(parameter.var.device())?)?;
            let stored = |i: usize| -> Result<Tensor> {
                let moment = find(&format!("optimizer.{i}.{}", parameter.name))?;
                Ok(moment.reshape(parameter.var.shape())?.to_device(parameter.var.device())?)
            };
            match slot {
                Slot::Host { moments, .. } => {
                    for (i, moment) in moments.iter_mut().enumerate() {
                        *moment = stored(i)?.flatten_all()?.to_vec1()?;
                    }
                }
                Slot::Device { moments, .. } => {
                    for (i, moment) in moments.iter_mut().enumerate() {
                        *moment = stored(i)?;
                    }
                }
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
