//! DINOv2 ViT-S/14, frozen: a vision transformer whose features are good without fine-tuning.
//!
//! M. Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, 2023; the network is A. Dosovitskiy et al.'s
//! (ICLR 2021) with layer scale. Tensor names are the authors', which are timm's `vit_small_patch14_dinov2` as well. Only
//! forwards: it has no graph and no gradients.

mod position;

use candle_core::{D, Device, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::{Normalisation, Trunk, Weights, Workspace};
use crate::{
    error::{Error, Result},
    graph::{ParameterKind, ParameterSpec},
};

/// Side of a patch, in pixels: photos are a multiple of it.
pub const PATCH: usize = 14;
/// Values in a patch.
pub(super) const PATCH_VALUES: usize = 3 * PATCH * PATCH;
/// Channels of a token.
const WIDTH: usize = 384;
const DEPTH: usize = 12;
const HEADS: usize = 6;
/// Channels inside a block's perceptron.
const HIDDEN: usize = 4 * WIDTH;
/// Patches a side in pretraining (518 pixels), for which position embeddings are stored.
const GRID: usize = 37;
/// Added to the variance in layer normalisation.
const EPSILON: f32 = 1e-6;

/// The trunk's tensors, in the order of use.
pub(super) fn parameters() -> Vec<ParameterSpec> {
    use ParameterKind::{Bias, LayerScale, NormScale, NormShift, Weight};
    let mut specs = Vec::new();
    let mut push =
        |name: String, shape: &[usize], kind| specs.push(ParameterSpec { name, shape: shape.to_vec(), kind });
    push("cls_token".to_owned(), &[1, 1, WIDTH], Weight);
    push("pos_embed".to_owned(), &[1, 1 + GRID * GRID, WIDTH], Weight);
    push("patch_embed.proj.weight".to_owned(), &[WIDTH, 3, PATCH, PATCH], Weight);
    push("patch_embed.proj.bias".to_owned(), &[WIDTH], Bias);
    for block in 0..DEPTH {
        let name = |part: &str| format!("blocks.{block}.{part}");
        let mut norm = |layer: &str| {
            push(name(&format!("{layer}.weight")), &[WIDTH], NormScale);
            push(name(&format!("{layer}.bias")), &[WIDTH], NormShift);
        };
        norm("norm1");
        norm("norm2");
        for (layer, outputs, inputs) in [
            ("attn.qkv", 3 * WIDTH, WIDTH),
            ("attn.proj", WIDTH, WIDTH),
            ("mlp.fc1", HIDDEN, WIDTH),
            ("mlp.fc2", WIDTH, HIDDEN),
        ] {
            push(name(&format!("{layer}.weight")), &[outputs, inputs], Weight);
            push(name(&format!("{layer}.bias")), &[outputs], Bias);
        }
        push(name("ls1.gamma"), &[WIDTH], LayerScale);
        push(name("ls2.gamma"), &[WIDTH], LayerScale);
    }
    push("norm.weight".to_owned(), &[WIDTH], NormScale);
    push("norm.bias".to_owned(), &[WIDTH], NormShift);
    specs
}

/// What of the last tokens are a photo's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// The class token: 384 values.
    ClassToken,
    /// The class token and the mean of the patch tokens: 768 values, what the authors' linear probes read.
    #[default]
    ClassAndMean,
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn load(weights: &Weights, name: &str, device: &Device) -> Result<Self> {
        let part = |part: &str| weights.tensor(&format!("{name}.{part}"), device);
        Ok(Self { weight: part("weight")?, bias: part("bias")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(layer_norm(&x.contiguous()?, &self.weight, &self.bias, EPSILON)?)
    }
}

/// `x W^T + b` over the last axis.
struct Linear {
    /// `[inputs, outputs]`.
    transposed: Tensor,
    bias: Tensor,
}

impl Linear {
    fn load(weights: &Weights, name: &str, device: &Device) -> Result<Self> {
        let part = |part: &str| weights.tensor(&format!("{name}.{part}"), device);
        let weight = part("weight")?.flatten_from(1)?;
        Ok(Self { transposed: weight.t()?.contiguous()?, bias: part("bias")? })
    }

    /// `x` is `[images, tokens, inputs]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (images, tokens, inputs) = x.dims3()?;
        let y = x.reshape((images * tokens, inputs))?.matmul(&self.transposed)?.broadcast_add(&self.bias)?;
        Ok(y.reshape((images, tokens, y.dim(1)?))?)
    }
}

struct Block {
    norms: [Norm; 2],
    qkv: Linear,
    projection: Linear,
    perceptron: [Linear; 2],
    scales: [Tensor; 2],
}

impl Block {
    fn load(weights: &Weights, block: usize, device: &Device) -> Result<Self> {
        let name = |part: &str| format!("blocks.{block}.{part}");
        let norm = |part| Norm::load(weights, &name(part), device);
        let linear = |part| Linear::load(weights, &name(part), device);
        let scale = |part| weights.tensor(&name(part), device);
        Ok(Self {
            norms: [norm("norm1")?, norm("norm2")?],
            qkv: linear("attn.qkv")?,
            projection: linear("attn.proj")?,
            perceptron: [linear("mlp.fc1")?, linear("mlp.fc2")?],
            scales: [scale("ls1.gamma")?, scale("ls2.gamma")?],
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let attended = self.attention(&self.norms[0].forward(x)?)?.broadcast_mul(&self.scales[0])?;
        let x = (x + attended)?;
        let hidden = self.perceptron[0].forward(&self.norms[1].forward(&x)?)?.gelu_erf()?;
        let mixed = self.perceptron[1].forward(&hidden)?.broadcast_mul(&self.scales[1])?;
        Ok((x + mixed)?)
    }

    /// `softmax(q k^T / sqrt(d)) v` of every head.
    fn attention(&self, x: &Tensor) -> Result<Tensor> {
        let (images, tokens, _) = x.dims3()?;
        let depth = WIDTH / HEADS;
        let qkv = self.qkv.forward(x)?.reshape((images, tokens, 3, HEADS, depth))?.permute((2, 0, 3, 1, 4))?;
        let part = |i: usize| qkv.get(i)?.contiguous();
        let q = (part(0)? * (depth as f64).powf(-0.5))?;
        let shares = softmax_last_dim(&q.matmul(&part(1)?.transpose(2, 3)?.contiguous()?)?)?;
        let values = shares.matmul(&part(2)?)?.transpose(1, 2)?.reshape((images, tokens, WIDTH))?;
        self.projection.forward(&values)
    }
}

/// The frozen network.
pub struct Dinov2 {
    patches: Linear,
    class_token: Tensor,
    /// `[1 + GRID * GRID, WIDTH]`.
    positions: Vec<f32>,
    blocks: Vec<Block>,
    norm: Norm,
    pooling: Pooling,
    normalisation: Normalisation,
    device: Device,
}

impl Dinov2 {
    /// The network with these weights, pooling the class token and the patches' mean.
    ///
    /// # Errors
    /// A tensor is missing, or the device fails.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self> {
        Ok(Self {
            patches: Linear::load(weights, "patch_embed.proj", device)?,
            class_token: weights.tensor("cls_token", device)?,
            positions: weights.values("pos_embed")?,
            blocks: (0..DEPTH).map(|block| Block::load(weights, block, device)).collect::<Result<_>>()?,
            norm: Norm::load(weights, "norm", device)?,
            pooling: Pooling::default(),
            normalisation: weights.normalisation,
            device: device.clone(),
        })
    }

    /// The same with other features.
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    /// All tokens after the last norm, the class token first: `[n, 1 + patches, 384]`. `images` are normalised,
    /// `[n, rows, columns, 3]`, sides a multiple of [`PATCH`].
    ///
    /// # Errors
    /// A side is no such multiple, or the device fails.
    pub fn tokens(&self, images: &Tensor) -> Result<Tensor> {
        let (count, rows, columns, _) = images.dims4()?;
        if !rows.is_multiple_of(PATCH) || !columns.is_multiple_of(PATCH) || rows * columns == 0 {
            return Err(Error::Network(format!(
                "a photo of {rows} x {columns} pixels is not made of {PATCH} x {PATCH} patches"
            )));
        }
        let grid = (rows / PATCH, columns / PATCH);
        let cut = images.reshape(&[count, grid.0, PATCH, grid.1, PATCH, 3][..])?.permute(vec![0, 1, 3, 5, 2, 4])?;
        let patches = self.patches.forward(&cut.reshape((count, grid.0 * grid.1, PATCH_VALUES))?)?;
        let class_token = self.class_token.broadcast_as((count, 1, WIDTH))?;
        let positions = position::interpolate(&self.positions, WIDTH, GRID, grid);
        let positions = Tensor::from_vec(positions, (1, 1 + grid.0 * grid.1, WIDTH), &self.device)?;
        let mut tokens = Tensor::cat(&[&class_token, &patches], 1)?.broadcast_add(&positions)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens)?;
        }
        self.norm.forward(&tokens)
    }

    /// Pooled features `[n, features]` of normalised images as for [`Self::tokens`].
    ///
    /// # Errors
    /// As there.
    pub fn pooled(&self, images: &Tensor) -> Result<Tensor> {
        let tokens = self.tokens(images)?;
        let class_token = tokens.narrow(1, 0, 1)?.squeeze(1)?;
        Ok(match self.pooling {
            Pooling::ClassToken => class_token.contiguous()?,
            Pooling::ClassAndMean => {
                let patches = tokens.narrow(1, 1, tokens.dim(1)? - 1)?.mean(1)?;
                Tensor::cat(&[&class_token, &patches], D::Minus1)?
            }
        })
    }
}

impl Trunk for Dinov2 {
    fn features(&self) -> usize {
        match self.pooling {
            Pooling::ClassToken => WIDTH,
            Pooling::ClassAndMean => 2 * WIDTH,
        }
    }

    fn forward(&self, pixels: &[u8], size: usize, _: &mut Workspace, features: &mut [f32]) -> Result<()> {
        let mut image = vec![0.0; pixels.len()];
        self.normalisation.apply(pixels, &mut image);
        let image = Tensor::from_vec(image, (1, size, size, 3), &self.device)?;
        features.copy_from_slice(&self.pooled(&image)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
