//! Not built yet: networks run on candle's operations.

use candle_core::{Tensor, Var};

use super::{Graph, NodeId, ParameterId, Statistics, candle::RunningUpdate};
use crate::error::{Error, Result};

pub(super) enum Cpu {}
pub(super) struct Tape;

impl Cpu {
    pub fn infer(&self, _: &Graph, _: &[Var], _: (NodeId, NodeId), _: &Tensor) -> Result<Tensor> {
        Err(Error::Network("no fused operations".to_owned()))
    }

    pub fn forward(
        &self,
        _: &Graph,
        _: &[Var],
        _: (NodeId, NodeId),
        _: &Tensor,
        _: Statistics,
        _: &mut Vec<RunningUpdate>,
    ) -> Result<(Tensor, Tape)> {
        Err(Error::Network("no fused operations".to_owned()))
    }

    pub fn backward(&self, _: &Graph, _: &[Var], _: Tape, _: &Tensor) -> Result<Vec<(ParameterId, Tensor)>> {
        Err(Error::Network("no fused operations".to_owned()))
    }
}
