//! Random first values, as each family's PyTorch implementation draws them.
//!
//! Every tensor has its own stream of random numbers, told by its name: adding a tensor changes no other.

use kenami_domain::run_config::ModelName;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Family;
use crate::graph::{ParameterKind, ParameterSpec};

/// Deviation of the truncated normal distribution in transformers and ConvNeXt.
const TRUNCATED: f64 = 0.02;
/// Where it is cut off, not relative to the deviation (as PyTorch's `trunc_normal_`).
const CUT: f64 = 2.0;

/// A distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Law {
    Constant(f64),
    Normal(f64),
    TruncatedNormal(f64),
    /// Between minus and plus this.
    Uniform(f64),
}

/// First values of a parameter.
pub(super) fn values(model: ModelName, parameter: &ParameterSpec, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let stream = blake3::hash(parameter.name.as_bytes());
    rng.set_stream(u64::from_le_bytes(stream.as_bytes()[..8].try_into().expect("eight bytes")));
    let law = law(Family::of(model), parameter);
    (0..parameter.shape.iter().product()).map(|_| draw(law, &mut rng) as f32).collect()
}

/// Which distribution a parameter comes from.
/// - torchvision's ResNets: He's normal over the outputs, whatever the groups.
/// - timm's EfficientNets: the same with the outputs of one group; biases 0.
/// - timm's ConvNeXt: normal of deviation .02 cut off at 2; biases 0; layer scales 1e-6.
/// - timm's DINOv2: the same for linear maps; the patch convolution is PyTorch's default; layer scales 1e-5.
fn law(family: Family, parameter: &ParameterSpec) -> Law {
    match parameter.kind {
        ParameterKind::NormScale | ParameterKind::RunningVariance => return Law::Constant(1.0),
        ParameterKind::NormShift | ParameterKind::RunningMean => return Law::Constant(0.0),
        ParameterKind::LayerScale => return Law::Constant(if family == Family::Dinov2 { 1e-5 } else { 1e-6 }),
        ParameterKind::Weight | ParameterKind::Bias => {}
    }
    let shape = parameter.shape.as_slice();
    match (family, parameter.name.as_str()) {
        (Family::Dinov2, "cls_token") => Law::Normal(1e-6),
        (Family::Dinov2, "patch_embed.proj.weight" | "patch_embed.proj.bias") => {
            Law::Uniform(1.0 / (super::dinov2::PATCH_VALUES as f64).sqrt())
        }
        _ if parameter.kind == ParameterKind::Bias => Law::Constant(0.0),
        (Family::ConvNext | Family::Dinov2, _) => Law::TruncatedNormal(TRUNCATED),
        (Family::ResNet, _) => Law::Normal((2.0 / (shape[0] * shape[2] * shape[3]) as f64).sqrt()),
        (Family::EfficientNet | Family::EfficientNetLite, _) => {
            // The only grouped convolutions there are depthwise ones, with one input a group.
            let outputs = if shape[1] == 1 { 1 } else { shape[0] };
            Law::Normal((2.0 / (outputs * shape[2] * shape[3]) as f64).sqrt())
        }
    }
}

fn draw(law: Law, rng: &mut ChaCha8Rng) -> f64 {
    match law {
        Law::Constant(value) => value,
        Law::Normal(deviation) => normal(rng) * deviation,
        Law::TruncatedNormal(deviation) => loop {
            let value = normal(rng) * deviation;
            if value.abs() <= CUT {
                return value;
            }
        },
        Law::Uniform(bound) => rng.random_range(-bound..bound),
    }
}

/// The standard normal distribution by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parameters;

    fn drawn(model: ModelName, name: &str, seed: u64) -> Vec<f32> {
        let parameters = parameters(model);
        let parameter = parameters.iter().find(|p| p.name == name).unwrap();
        values(model, parameter, seed)
    }

    #[test]
    fn deviations_are_those_of_pytorch() {
        for (model, name, expected) in [
            (ModelName::Resnet18, "layer1.0.conv1.weight", (2.0f64 / (64.0 * 9.0)).sqrt()),
            (ModelName::Resnext50, "layer1.0.conv2.weight", (2.0f64 / (128.0 * 9.0)).sqrt()),
            (ModelName::EfficientnetB0, "blocks.5.1.conv_dw.weight", (2.0f64 / 25.0).sqrt()),
            (ModelName::EfficientnetB0, "blocks.5.1.conv_pwl.weight", (2.0f64 / 192.0).sqrt()),
            (ModelName::ConvnextTiny, "stages.0.blocks.0.mlp.fc1.weight", 0.02),
            (ModelName::Dinov2Vits14, "blocks.0.mlp.fc1.weight", 0.02),
            (ModelName::Dinov2Vits14, "patch_embed.proj.weight", 1.0 / (3.0f64 * 588.0).sqrt()),
        ] {
            let values = drawn(model, name, 1);
            let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / values.len() as f64;
            assert!((square.sqrt() / expected - 1.0).abs() < 0.05, "{name}: {} is not {expected}", square.sqrt());
        }
        assert!(drawn(ModelName::ConvnextTiny, "stages.0.blocks.0.gamma", 1).iter().all(|x| *x == 1e-6));
        assert!(drawn(ModelName::EfficientnetB0, "blocks.0.0.se.conv_reduce.bias", 1).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn seed_and_name_decide_the_values() {
        let one = |name, seed| drawn(ModelName::Resnet18, name, seed);
        let first = one("layer1.0.conv1.weight", 1);
        assert_eq!(first, one("layer1.0.conv1.weight", 1));
        assert_ne!(first, one("layer1.0.conv1.weight", 2));
        assert_ne!(first, one("layer1.0.conv2.weight", 1));
    }
}
