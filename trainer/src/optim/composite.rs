//! A step out of candle's operations, for devices without an own kernel. The formulas stand at [`super::fused`].

use candle_core::{Result, Tensor, Var};
use kenami_domain::run_config::{OptimizerConfig, OptimizerName};

use super::Step;

/// Moves `var` and `moments` by one step.
pub(super) fn update(
    config: &OptimizerConfig,
    step: Step,
    var: &Var,
    gradient: &Tensor,
    moments: &mut [Tensor],
    anchor: Option<&Tensor>,
) -> Result<()> {
    let value = var.as_tensor().detach();
    let gradient = (gradient.detach() * step.scale)?;
    let excess = match anchor {
        Some(anchor) if step.pull.anchored => (&value - anchor)?,
        _ => value.clone(),
    };
    let decay = step.pull.strength;
    let moved = match config.name {
        OptimizerName::Sgd => {
            let gradient = (gradient + (excess * decay)?)?;
            moments[0] = ((&moments[0] * config.momentum)? + &gradient)?;
            let direction =
                if config.nesterov { (gradient + (&moments[0] * config.momentum)?)? } else { moments[0].clone() };
            (value - (direction * step.lr)?)?
        }
        OptimizerName::Adam => adam(config, step, &value, &(gradient + (excess * decay)?)?, moments)?,
        OptimizerName::AdamW => {
            let decayed = (value - (excess * (step.lr * decay))?)?;
            adam(config, step, &decayed, &gradient, moments)?
        }
    };
    var.set(&moved)
}

fn adam(
    config: &OptimizerConfig,
    step: Step,
    value: &Tensor,
    gradient: &Tensor,
    moments: &mut [Tensor],
) -> Result<Tensor> {
    let OptimizerConfig { beta1, beta2, eps, .. } = *config;
    moments[0] = ((&moments[0] * beta1)? + (gradient * (1.0 - beta1))?)?;
    moments[1] = ((&moments[1] * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
    let steps = step.number as f64;
    let denominator = ((moments[1].sqrt()? / (1.0 - beta2.powf(steps)).sqrt())? + eps)?;
    let rate = step.lr / (1.0 - beta1.powf(steps));
    value - ((&moments[0] / denominator)? * rate)?
}
