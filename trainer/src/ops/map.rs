//! How training operations read and write feature maps, so that normalisation and activation cost no pass of their own.
//!
//! A map is `[images, rows, columns, channels]`, channels adjacent. A convolution under batch-norm leaves its raw output `y`
//! and the sums that the statistics need; whoever reads it applies `act(scale y + shift)` while the values are in the cache.
//! Backwards alike: the reader's input gradient is masked by the activation and summed as it is written, and the gradient of
//! `y`, which those sums complete, is put together by whoever reads it.

/// Elementwise non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// None.
    #[default]
    Identity,
    /// `max(x, 0)`; its gradient at 0 is 0.
    Relu,
    /// `min(max(x, 0), 6)`; its gradient at 0 and 6 is 0.
    Relu6,
    /// `x sigmoid(x)` (swish).
    Silu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `x Phi(x)` with the error function, not its tanh approximation.
    Gelu,
}

/// A map as its reader sees it: `act(scale[c] x + shift[c])`.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Stored values.
    pub values: &'a [f32],
    /// Per channel: scale and shift.
    pub norm: Option<(&'a [f32], &'a [f32])>,
    /// Applied last.
    pub activation: Activation,
}

impl<'a> Source<'a> {
    /// Values that are read as they are.
    pub fn plain(values: &'a [f32]) -> Self {
        Self { values, norm: None, activation: Activation::Identity }
    }

    /// Whether reading changes nothing.
    pub fn is_plain(&self) -> bool {
        self.norm.is_none() && self.activation == Activation::Identity
    }
}

/// The gradient of a map as its reader sees it: the values, or under batch-norm `a[c] values + b[c] y + c[c]`, where the
/// values are the gradient of `scale y + shift` and `y` is the raw map.
#[derive(Debug, Clone, Copy)]
pub struct GradSource<'a> {
    /// Stored gradient.
    pub values: &'a [f32],
    /// The raw map and, per channel, the factor of the values, the factor of `y` and the constant.
    pub norm: Option<(&'a [f32], [&'a [f32]; 3])>,
}

impl<'a> GradSource<'a> {
    /// A gradient that is read as it is.
    pub fn plain(values: &'a [f32]) -> Self {
        Self { values, norm: None }
    }
}

/// Per channel, over all pixels of a batch: sums of `x` and of `x y` (with `y = x` for the statistics of a map). Reduced
/// over fixed parts of the batch in a fixed order: the number of threads and their timing change nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChannelSums {
    /// Sum of `x`.
    pub sum: Vec<f64>,
    /// Sum of `x y`.
    pub product: Vec<f64>,
}

/// Where an operation's input gradient goes. `input` is what the operation read: where it has a norm or an activation, what
/// is written is the gradient with respect to `scale x + shift`, that is, times the activation's derivative.
#[derive(Debug)]
pub struct GradSink<'a> {
    /// Written, or added to where `accumulate`.
    pub values: &'a mut [f32],
    /// Add the (masked) gradient to what is there.
    pub accumulate: bool,
    /// The operation's input as it was read forwards.
    pub input: Source<'a>,
    /// Asked for where `input` is normalised: sums of what was written, and of it times the raw input values.
    pub sums: Option<&'a mut ChannelSums>,
}
