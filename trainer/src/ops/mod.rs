//! Operations on images in NHWC order (rows, columns, channels; channels adjacent) that candle lacks or does slowly.
//!
//! They run on one thread each: callers are parallel over images. The instruction set is found at run time
//! ([`pulp::Arch`]); the plain path is `pulp::Arch::Scalar`.

mod depthwise;
mod inverted_residual;
mod padding;
mod pointwise;
mod stem;

pub use depthwise::{Depthwise, depthwise_row};
pub use inverted_residual::{Grid, InvertedResidual, Scratch};
pub use padding::{Padding, same_padding};
pub use pointwise::{Pointwise, relu6, relu6_bias};
pub use stem::Stem;
