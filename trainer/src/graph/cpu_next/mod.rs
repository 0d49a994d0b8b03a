//! A graph on the fused operations of [`crate::ops`].
//!
//! Only outputs of convolutions, sums and poolings are stored; batch-norms and activations happen as those are read (see
//! [`super::plan`]). Memory comes from a pool and goes back as soon as nobody needs it any more.

mod backward;
mod forward;
mod kernels;

use candle_core::{CpuStorage, Device, Storage, Tensor, Var};

use self::kernels::Kernels;
use super::{
    Graph, NodeId, ParameterId, Statistics,
    candle::RunningUpdate,
    plan::{Norm, Plan, View},
};
use crate::{
    error::Result,
    ops::{Buffer, BufferPool, Source},
};

/// The fused operations, with their memory.
#[derive(Default)]
pub(super) struct Cpu {
    pool: BufferPool,
    kernels: Kernels,
}

/// A stored map `[images, rows, columns, channels]`.
pub(super) struct Map {
    values: Buffer,
    images: usize,
    rows: usize,
    columns: usize,
}

impl Map {
    fn pixels(&self) -> usize {
        self.images * self.rows * self.columns
    }
}

/// `scale y + shift`, and where it comes from.
pub(super) struct NormState {
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Mean and inverse deviation of a batch-norm.
    moments: Option<(Vec<f32>, Vec<f32>)>,
    /// Whether the moments are those of the batch.
    of_batch: bool,
}

impl NormState {
    fn factors(&self) -> (&[f32], &[f32]) {
        (&self.scale, &self.shift)
    }
}

/// What a forward pass in training leaves behind.
pub(super) struct Tape {
    plan: Plan,
    maps: Vec<Option<Map>>,
    /// Per batch-norm and per convolution with a bias: what is done to the raw map.
    norms: Vec<Option<NormState>>,
    /// Per max-pool: which place of the window won.
    winners: Vec<Option<Vec<u8>>>,
}

impl Cpu {
    /// The output of `to` from that of `from`, in inference.
    pub fn infer(
        &self,
        graph: &Graph,
        parameters: &[Var],
        (from, to): (NodeId, NodeId),
        map: &Tensor,
    ) -> Result<Tensor> {
        let plan = Plan::new(graph, from, to)?;
        let run = forward::Run::new(self, graph, parameters, plan, Statistics::Running, false);
        Ok(run.run(map, &mut Vec::new())?.0)
    }

    /// The output of `to` from that of `from`, in training.
    pub fn forward(
        &self,
        graph: &Graph,
        parameters: &[Var],
        (from, to): (NodeId, NodeId),
        map: &Tensor,
        statistics: Statistics,
        updates: &mut Vec<RunningUpdate>,
    ) -> Result<(Tensor, Tape)> {
        let plan = Plan::new(graph, from, to)?;
        forward::Run::new(self, graph, parameters, plan, statistics, true).run(map, updates)
    }

    /// Gradients of all trained parameters after the tape's beginning.
    pub fn backward(
        &self,
        graph: &Graph,
        parameters: &[Var],
        tape: Tape,
        gradient: &Tensor,
    ) -> Result<Vec<(ParameterId, Tensor)>> {
        backward::Run::new(self, graph, parameters, tape).run(gradient)
    }
}

/// Calls `f` with a tensor's values.
fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::Msg("a parameter that is not contiguous".to_owned()))?;
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(f(&values[start..end])),
        _ => Err(candle_core::Error::Msg("a tensor that is not of 32-bit floats on the processor".to_owned()).into()),
    }
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// A stored map as a view's readers see it.
fn source<'a>(view: View, values: &'a [f32], norms: &'a [Option<NormState>]) -> Source<'a> {
    let norm = match view.norm {
        Norm::None => None,
        Norm::Batch(node) | Norm::Bias(node) => norms[node].as_ref().map(NormState::factors),
    };
    Source { values, norm, activation: view.activation }
}
