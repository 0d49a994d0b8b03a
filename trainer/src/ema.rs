//! The exponential moving average of the weights, which is often a better model than the last weights.

use std::cell::RefCell;

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result as CandleResult, Tensor, Var, bail};
use pulp::NullaryFnOnce;
use rayon::prelude::*;

use crate::error::Result;

/// Values in a part.
const PART: usize = 1 << 15;

/// `e = d e + (1 - d) w` after each step, with `d = min(decay, (1 + t) / (10 + t))` in step `t` (from 0), so that the
/// average forgets its start. Batch statistics may be averaged along with the weights.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    updates: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    var: Var,
    average: Average,
}

#[derive(Debug)]
enum Average {
    Host(Vec<f32>),
    Device(Tensor),
}

impl Average {
    fn of(var: &Var) -> Result<Self> {
        Ok(match var.device() {
            Device::Cpu => Self::Host(var.as_tensor().flatten_all()?.to_vec1()?),
            _ => Self::Device(var.as_tensor().copy()?),
        })
    }
}

impl Ema {
    /// Of these named values (f32), from what they are now.
    ///
    /// # Errors
    /// A value is not f32.
    pub fn new(decay: f64, values: impl IntoIterator<Item = (String, Var)>) -> Result<Self> {
        let entry = |(name, var): (String, Var)| -> Result<Entry> {
            let average = Average::of(&var)?;
            Ok(Entry { name, var, average })
        };
        let entries = values.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Self { decay, updates: 0, entries })
    }

    /// Begins again, from what the values are now.
    ///
    /// # Errors
    /// A value is no longer f32.
    pub fn restart(&mut self) -> Result<()> {
        self.updates = 0;
        self.entries.iter_mut().try_for_each(|entry| {
            entry.average = Average::of(&entry.var)?;
            Ok(())
        })
    }

    /// Takes the values after a step into the average.
    ///
    /// # Errors
    /// A value is no longer f32 or contiguous.
    pub fn update(&mut self) -> Result<()> {
        let t = self.updates as f64;
        let decay = self.decay.min((1.0 + t) / (10.0 + t));
        self.updates += 1;
        for Entry { var, average, .. } in &mut self.entries {
            match average {
                Average::Host(average) => {
                    let rest = (1.0 - decay) as f32;
                    var.as_tensor().inplace_op1(&Towards { average: RefCell::new(average), rest })?;
                }
                Average::Device(average) => {
                    *average = ((&*average * decay)? + (var.as_tensor().detach() * (1.0 - decay))?)?;
                }
            }
        }
        Ok(())
    }

    /// Exchanges weights and averages: before judging the averages, and again to go on with training.
    ///
    /// # Errors
    /// A value is no longer f32 or contiguous.
    pub fn swap(&mut self) -> Result<()> {
        for Entry { var, average, .. } in &mut self.entries {
            match average {
                Average::Host(average) => var.as_tensor().inplace_op1(&Swap(RefCell::new(average)))?,
                Average::Device(average) => {
                    let weights = var.as_tensor().copy()?;
                    var.set(average)?;
                    *average = weights;
                }
            }
        }
        Ok(())
    }

    /// Updates so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Averages by name (`ema.NAME`), for a checkpoint.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let state = self.entries.iter().map(|Entry { name, var, average }| {
            let tensor = match average {
                Average::Host(average) => Tensor::from_slice(average, var.shape(), &Device::Cpu)?,
                Average::Device(average) => average.clone(),
            };
            Ok((format!("ema.{name}"), tensor))
        });
        state.collect()
    }

    /// Takes the averages from a checkpoint, through `find` by name.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn restore(&mut self, updates: u64, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for Entry { name, var, average } in &mut self.entries {
            let stored = find(&format!("ema.{name}"))?.reshape(var.shape())?;
            match average {
                Average::Host(average) => *average = stored.flatten_all()?.to_vec1()?,
                Average::Device(average) => *average = stored.to_device(var.device())?,
            }
        }
        self.updates = updates;
        Ok(())
    }
}

/// The values behind a contiguous f32 tensor.
fn values<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> CandleResult<&'a mut [f32]> {
    let (CpuStorage::F32(values), Some((from, to))) = (storage, layout.contiguous_offsets()) else {
        bail!("a moving average wants contiguous f32")
    };
    Ok(&mut values[from..to])
}

/// Moves the average towards the tensor, which it only reads.
struct Towards<'a> {
    average: RefCell<&'a mut Vec<f32>>,
    rest: f32,
}

impl InplaceOp1 for Towards<'_> {
    fn name(&self) -> &'static str {
        "moving-average"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> CandleResult<()> {
        let (values, rest) = (values(storage, layout)?, self.rest);
        let mut average = self.average.borrow_mut();
        let parts = average.par_chunks_mut(PART).zip(values.par_chunks(PART));
        parts.for_each(|(average, values)| pulp::Arch::new().dispatch(Part { average, values, rest }));
        Ok(())
    }
}

struct Part<'a> {
    average: &'a mut [f32],
    values: &'a [f32],
    rest: f32,
}

impl NullaryFnOnce for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (average, value) in self.average.iter_mut().zip(self.values) {
            *average += (value - *average) * self.rest;
        }
    }
}

/// Exchanges tensor and average.
struct Swap<'a>(RefCell<&'a mut Vec<f32>>);

impl InplaceOp1 for Swap<'_> {
    fn name(&self) -> &'static str {
        "swap-average"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> CandleResult<()> {
        values(storage, layout)?.swap_with_slice(&mut self.0.borrow_mut());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn var(values: &[f32]) -> Var {
        Var::from_tensor(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap()
    }

    fn vec(var: &Var) -> Vec<f32> {
        var.as_tensor().to_vec1().unwrap()
    }

    #[test]
    fn the_average_follows_its_formula_and_swaps_in_and_out() {
        let weight = var(&[1.0, -2.0]);
        let mut ema = Ema::new(0.5, [("w".to_owned(), weight.clone())]).unwrap();
        let mut expected = [1f64, -2.0];
        for step in 0..20 {
            let moved: [f32; 2] = [step as f32, (step * step) as f32];
            weight.set(&Tensor::new(&moved, &Device::Cpu).unwrap()).unwrap();
            ema.update().unwrap();
            let decay = f64::min(0.5, (1.0 + f64::from(step)) / (10.0 + f64::from(step)));
            for (e, w) in expected.iter_mut().zip(moved) {
                *e = decay * *e + (1.0 - decay) * f64::from(w);
            }
        }
        ema.swap().unwrap();
        vec(&weight).iter().zip(expected).for_each(|(a, b)| assert_relative_eq!(f64::from(*a), b, max_relative = 1e-5));
        ema.swap().unwrap();
        assert_eq!(vec(&weight), [19.0, 361.0]);
        ema.restart().unwrap();
        weight.set(&Tensor::new(&[0f32, 0.0], &Device::Cpu).unwrap()).unwrap();
        ema.update().unwrap();
        ema.swap().unwrap();
        let expected = [1.9, 36.1];
        vec(&weight).iter().zip(expected).for_each(|(a, b)| assert_relative_eq!(*a, b, max_relative = 1e-5));
    }

    #[test]
    fn a_restored_average_goes_on_bit_for_bit() {
        let run = |break_at: Option<u32>| {
            let weight = var(&[0.3, 0.7, -0.1]);
            let named = || [("w".to_owned(), weight.clone())];
            let mut ema = Ema::new(0.999, named()).unwrap();
            for step in 0..6 {
                weight.set(&Tensor::new(&[step as f32, 0.1, 0.7], &Device::Cpu).unwrap()).unwrap();
                ema.update().unwrap();
                if break_at == Some(step) {
                    let (state, updates) = (ema.state().unwrap(), ema.updates());
                    ema = Ema::new(0.999, named()).unwrap();
                    ema.restore(updates, |name| Ok(state.iter().find(|(n, _)| n == name).unwrap().1.clone())).unwrap();
                }
            }
            ema.swap().unwrap();
            vec(&weight)
        };
        assert_eq!(run(None), run(Some(2)));
    }
}
