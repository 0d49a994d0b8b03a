//! Gradients of a list of parameters, added up over batches.

use std::cell::Cell;

use candle_core::{CpuStorage, Device, InplaceOp1, InplaceOp2, Layout, Tensor, backprop::GradStore, bail};
use rayon::prelude::*;

use super::Parameter;
use crate::error::Result;

/// Values in a part of a sum or norm.
const PART: usize = 1 << 15;
/// Running sums in a part, so that the processor can keep several going.
const LANES: usize = 16;

/// Sums of gradients over batches, in the order of the parameters; `None` for what has none.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    tensors: Vec<Option<Tensor>>,
    batches: u32,
}

impl Gradients {
    /// Of one batch.
    pub fn new(tensors: Vec<Option<Tensor>>) -> Self {
        Self { tensors, batches: 1 }
    }

    /// Of one batch, from candle's backward pass.
    pub fn of(parameters: &[Parameter], store: &GradStore) -> Self {
        let gradient = |parameter: &Parameter| store.get(parameter.var.as_tensor()).map(Tensor::detach);
        Self::new(parameters.iter().map(gradient).collect())
    }

    /// The gradient of parameter `index`, summed over the batches.
    pub fn get(&self, index: usize) -> Option<&Tensor> {
        self.tensors.get(index)?.as_ref()
    }

    /// Batches that were added up.
    pub fn batches(&self) -> u32 {
        self.batches
    }

    /// Adds those of further batches. The first call takes copies, so that nobody else's tensor is written to.
    ///
    /// # Errors
    /// The lists or shapes disagree.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        if self.tensors.is_empty() {
            self.tensors = vec![None; other.tensors.len()];
        }
        if self.tensors.len() != other.tensors.len() {
            return Err(candle_core::Error::Msg("gradients of different parameters".to_owned()).into());
        }
        for (sum, other) in self.tensors.iter_mut().zip(&other.tensors) {
            match (&mut *sum, other) {
                (_, None) => {}
                (None, Some(other)) => *sum = Some(other.contiguous()?.copy()?),
                (Some(sum), Some(other)) if matches!(sum.device(), Device::Cpu) => {
                    sum.inplace_op2(&other.contiguous()?, &Add)?;
                }
                (Some(sum), Some(other)) => *sum = (&*sum + other)?,
            }
        }
        self.batches += other.batches;
        Ok(())
    }

    /// Euclidean norm of all gradients together, averaged over the batches.
    ///
    /// # Errors
    /// A gradient is not f32.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for tensor in self.tensors.iter().flatten() {
            if matches!(tensor.device(), Device::Cpu) {
                let squares = Squares(Cell::new(0.0));
                tensor.contiguous()?.inplace_op1(&squares)?;
                sum += squares.0.get();
            } else {
                sum += f64::from(tensor.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        Ok(sum.sqrt() / f64::from(self.batches.max(1)))
    }
}

/// Adds the second tensor to the first.
struct Add;

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add-gradients"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, al: &Layout, b: &CpuStorage, bl: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(a), CpuStorage::F32(b)) = (a, b) else { bail!("gradients must be f32") };
        let (Some((from, to)), Some((b_from, b_to))) = (al.contiguous_offsets(), bl.contiguous_offsets()) else {
            bail!("gradients must be contiguous")
        };
        if to - from != b_to - b_from {
            bail!("gradients of different shapes");
        }
        let parts = a[from..to].par_chunks_mut(PART).zip(b[b_from..b_to].par_chunks(PART));
        parts.for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        Ok(())
    }
}

/// Reads the sum of squares; writes nothing.
struct Squares(Cell<f64>);

impl InplaceOp1 for Squares {
    fn name(&self) -> &'static str {
        "sum-of-squares"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let CpuStorage::F32(values) = storage else { bail!("gradients must be f32") };
        let Some((from, to)) = layout.contiguous_offsets() else { bail!("gradients must be contiguous") };
        // Fixed parts, added in order: the threads change nothing.
        let parts: Vec<f64> = values[from..to].par_chunks(PART).map(squares).collect();
        self.0.set(parts.into_iter().sum());
        Ok(())
    }
}

fn squares(values: &[f32]) -> f64 {
    let mut lanes = [0f64; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    let rest: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    lanes.iter().sum::<f64>() + rest
}
