//! Operations on images in NHWC order (rows, columns, channels; channels adjacent) that candle lacks or does slowly.
//!
//! Those of training, [`conv`] first, read maps through a [`Source`] and share work among rayon's threads in parts that depend
//! on its size alone. Those of the frozen EfficientNet-Lite ([`InvertedResidual`] and what it is made of) run on one thread:
//! their callers are parallel over photos. The instruction set is found at run time ([`pulp::Arch`]); the plain path is
//! `pulp::Arch::Scalar`.

pub mod access;
pub mod batch_norm;
pub mod conv;
mod depthwise;
mod elementwise;
pub mod gate;
pub mod global_pool;
mod inverted_residual;
mod lanes;
pub mod layer_norm;
mod map;
mod matrix;
mod padding;
mod parts;
mod pointwise;
mod pool;
mod pool_max;
mod stem;
mod vector_math;

pub use depthwise::{Depthwise, depthwise_row};
pub use elementwise::{add, materialise, product_sums, store_gradient};
pub use gate::channel_scale;
pub use inverted_residual::{Grid, InvertedResidual, Scratch};
pub use map::{Activation, ChannelSums, GradSink, GradSource, Source};
pub use padding::{Padding, same_padding};
pub use pointwise::{Pointwise, relu6, relu6_bias};
pub use pool::{Buffer, BufferPool};
pub use pool_max::{PoolGeometry, max_pool, max_pool_gradient};
pub use stem::Stem;

#[cfg(test)]
mod map_tests;
