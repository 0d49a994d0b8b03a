//! A step on the processor: one pass over value, gradient and state, in parallel over fixed parts.
//!
//! With gradient `g`, value `w` and what it decays towards `w0` (0, or the anchor):
//! - SGD: `g += d (w - w0); m = mu m + g; w -= lr m`, or with Nesterov `w -= lr (g + mu m)`.
//! - Adam: `g += d (w - w0); m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= lr m' / (sqrt(v') + e)` with
//!   `m' = m / (1 - b1^t)` and `v' = v / (1 - b2^t)`.
//! - AdamW: `w -= lr d (w - w0)`, then as Adam without decay.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var, bail};
use kenami_domain::run_config::{OptimizerConfig, OptimizerName};
use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::Step;

/// Values in a part; also the size from which a parameter is worth several threads.
const PART: usize = 1 << 15;

/// Moves `var` and `moments` by one step.
pub(super) fn update(
    config: &OptimizerConfig,
    step: Step,
    var: &Var,
    gradient: &Tensor,
    moments: &mut [Vec<f32>],
    anchor: Option<&[f32]>,
) -> Result<()> {
    if gradient.shape() != var.shape() {
        bail!("a gradient of shape {:?} for a parameter of shape {:?}", gradient.shape(), var.shape());
    }
    let anchor = anchor.filter(|_| step.pull.anchored);
    let update = Update { rule: Rule::new(config, step), moments: RefCell::new(moments), anchor };
    var.as_tensor().inplace_op2(&gradient.contiguous()?, &update)
}

/// A step's numbers as the kernels want them.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Sgd { scale: f32, decay: f32, momentum: f32, nesterov: bool, lr: f32 },
    Adam { scale: f32, coupled: f32, decoupled: f32, betas: [f32; 2], rests: [f32; 2], eps: f32, root: f32, lr: f32 },
}

impl Rule {
    fn new(config: &OptimizerConfig, step: Step) -> Self {
        let (scale, decay) = (step.scale as f32, step.pull.strength);
        if config.name == OptimizerName::Sgd {
            let (momentum, nesterov) = (config.momentum as f32, config.nesterov);
            return Self::Sgd { scale, decay: decay as f32, momentum, nesterov, lr: step.lr as f32 };
        }
        let (b1, b2, steps) = (config.beta1, config.beta2, step.number as f64);
        let (coupled, decoupled) =
            if config.name == OptimizerName::Adam { (decay, 0.0) } else { (0.0, step.lr * decay) };
        Self::Adam {
            scale,
            coupled: coupled as f32,
            decoupled: decoupled as f32,
            betas: [b1 as f32, b2 as f32],
            rests: [(1.0 - b1) as f32, (1.0 - b2) as f32],
            eps: config.eps as f32,
            root: (1.0 / (1.0 - b2.powf(steps)).sqrt()) as f32,
            lr: (step.lr / (1.0 - b1.powf(steps))) as f32,
        }
    }
}

/// The operation that candle runs on the parameter's storage; the state hangs on it, as candle passes one mutable tensor.
struct Update<'a> {
    rule: Rule,
    moments: RefCell<&'a mut [Vec<f32>]>,
    anchor: Option<&'a [f32]>,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "optimizer-step"
    }

    fn cpu_fwd(&self, value: &mut CpuStorage, vl: &Layout, gradient: &CpuStorage, gl: &Layout) -> Result<()> {
        let (CpuStorage::F32(value), CpuStorage::F32(gradient)) = (value, gradient) else {
            bail!("optimizer-step: parameters and gradients must be f32");
        };
        let (Some((from, to)), Some((gradient_from, gradient_to))) = (vl.contiguous_offsets(), gl.contiguous_offsets())
        else {
            bail!("optimizer-step: parameters and gradients must be contiguous");
        };
        let (value, gradient) = (&mut value[from..to], &gradient[gradient_from..gradient_to]);
        let mut moments = self.moments.borrow_mut();
        let rule = self.rule;
        let whole_anchor = self.anchor;
        let anchor = |i: usize, len: usize| whole_anchor.map(|anchor| &anchor[i * PART..i * PART + len]);
        let parts = value.par_chunks_mut(PART).zip(gradient.par_chunks(PART)).enumerate();
        match &mut **moments {
            [mean] => parts.zip(mean.par_chunks_mut(PART)).for_each(|((i, (value, gradient)), mean)| {
                let anchor = anchor(i, value.len());
                pulp::Arch::new().dispatch(Part { rule, value, gradient, mean, square: &mut [], anchor });
            }),
            [mean, square] => {
                let state = mean.par_chunks_mut(PART).zip(square.par_chunks_mut(PART));
                parts.zip(state).for_each(|((i, (value, gradient)), (mean, square))| {
                    let anchor = anchor(i, value.len());
                    pulp::Arch::new().dispatch(Part { rule, value, gradient, mean, square, anchor });
                });
            }
            _ => bail!("optimizer-step: one or two moments"),
        }
        Ok(())
    }
}

/// A part of a parameter; `square` is empty under SGD.
struct Part<'a> {
    rule: Rule,
    value: &'a mut [f32],
    gradient: &'a [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    anchor: Option<&'a [f32]>,
}

impl NullaryFnOnce for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match (self.rule, self.anchor) {
            (Rule::Sgd { .. }, None) => self.sgd(|_| 0.0),
            (Rule::Sgd { .. }, Some(anchor)) => self.sgd(|i| anchor[i]),
            (Rule::Adam { .. }, None) => self.adam(|_| 0.0),
            (Rule::Adam { .. }, Some(anchor)) => self.adam(|i| anchor[i]),
        }
    }
}

impl Part<'_> {
    #[inline(always)]
    fn sgd(self, towards: impl Fn(usize) -> f32) {
        let Rule::Sgd { scale, decay, momentum, nesterov, lr } = self.rule else { return };
        let values = self.value.iter_mut().zip(self.gradient).zip(&mut *self.mean).enumerate();
        if nesterov {
            for (i, ((value, gradient), mean)) in values {
                let gradient = gradient * scale + (*value - towards(i)) * decay;
                *mean = *mean * momentum + gradient;
                *value -= (gradient + *mean * momentum) * lr;
            }
        } else {
            for (i, ((value, gradient), mean)) in values {
                let gradient = gradient * scale + (*value - towards(i)) * decay;
                *mean = *mean * momentum + gradient;
                *value -= *mean * lr;
            }
        }
    }

    #[inline(always)]
    fn adam(self, towards: impl Fn(usize) -> f32) {
        let Rule::Adam { scale, coupled, decoupled, betas, rests, eps, root, lr } = self.rule else { return };
        let state = self.mean.iter_mut().zip(&mut *self.square);
        for (i, ((value, gradient), (mean, square))) in self.value.iter_mut().zip(self.gradient).zip(state).enumerate()
        {
            let excess = *value - towards(i);
            let gradient = gradient * scale + excess * coupled;
            *mean = *mean * betas[0] + gradient * rests[0];
            *square = *square * betas[1] + gradient * gradient * rests[1];
            *value = (*value - excess * decoupled) - lr * *mean / (square.sqrt() * root + eps);
        }
    }
}
