//! A graph with values for its parameters, ready to run and to train.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};

use super::{
    Graph, NodeId, Op, ParameterId, Statistics,
    candle::{self, RunningUpdate},
    cpu::{self, Cpu},
};
use crate::{
    attention::SpatialPool,
    error::{Error, Result},
};

/// A network: on the processor it runs on fused operations, elsewhere on candle's.
pub struct Network {
    graph: Graph,
    parameters: Vec<Var>,
    device: Device,
    /// Fused operations; absent on devices that they do not run on, or where candle's are asked for.
    cpu: Option<Cpu>,
    /// Nodes up to this one are not trained: they run with running statistics and keep nothing.
    frozen: NodeId,
    statistics: Statistics,
}

/// What a forward pass leaves for the backward one.
pub struct Pass {
    /// The feature map `[images, rows, columns, channels]`, without a gradient.
    pub output: Tensor,
    kept: Kept,
}

enum Kept {
    Cpu(cpu::Tape),
    /// The output with its history.
    Candle(Tensor),
}

impl Network {
    /// With these values, by the graph's names; on the processor with fused operations.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(graph: Graph, mut tensors: HashMap<String, Tensor>, device: &Device) -> Result<Self> {
        let behind: Vec<_> = graph.pooled_norm.iter().flat_map(|norm| [norm.weight, norm.bias]).collect();
        let parameter = |(id, spec): (usize, &super::ParameterSpec)| -> Result<Var> {
            let tensor = tensors
                .remove(&spec.name)
                .ok_or_else(|| Error::Weights(format!("there is no tensor {}", spec.name)))?;
            if tensor.dims() != spec.shape {
                let found = tensor.dims();
                return Err(Error::Weights(format!("{} has shape {found:?}, not {:?}", spec.name, spec.shape)));
            }
            // What works on pooled features stays where heads and losses are.
            let device = if behind.contains(&id) { &Device::Cpu } else { device };
            // A copy of its own: training writes into it.
            let tensor = tensor.to_device(device)?.to_dtype(DType::F32)?.contiguous()?.copy()?;
            Ok(Var::from_tensor(&tensor)?)
        };
        let parameters = graph.parameters.iter().enumerate().map(parameter).collect::<Result<Vec<_>>>()?;
        let cpu = matches!(device, Device::Cpu).then(Cpu::default);
        Ok(Self { graph, parameters, device: device.clone(), cpu, frozen: 0, statistics: Statistics::Batch })
    }

    /// Runs on candle's operations wherever it is: slow on a processor; for comparison.
    pub fn with_candle(mut self) -> Self {
        self.cpu = None;
        self
    }

    /// Trains only what comes after `node`, the end of a stage (0: everything), with a batch's or the running statistics.
    pub fn train_after(&mut self, node: NodeId, statistics: Statistics) {
        self.frozen = node;
        self.statistics = statistics;
    }

    /// The description.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Values of the parameters, in the graph's order.
    pub fn parameters(&self) -> &[Var] {
        &self.parameters
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The nodes' parameters that training moves: those of which [`Self::backward`] gives gradients. The normalisation after
    /// pooling has candle's.
    pub fn trained(&self) -> Vec<ParameterId> {
        let nodes = self.graph.nodes[self.frozen + 1..].iter();
        let mut trained: Vec<_> = nodes.flat_map(|node| node.op.parameters()).collect();
        trained.retain(|id| self.graph.parameters[*id].kind.is_trained());
        trained.sort_unstable();
        trained
    }

    /// The feature map of photos (`[n, h, w, 3]`, normalised), in inference.
    ///
    /// # Errors
    /// The photos are too small, or memory runs out.
    pub fn infer(&self, images: &Tensor) -> Result<Tensor> {
        self.infer_between(images, 0, self.graph.output())
    }

    /// The output of node `to` from the output of node `from`, in inference.
    ///
    /// # Errors
    /// As [`Self::infer`]; or `to` needs more than `from`.
    pub fn infer_between(&self, map: &Tensor, from: NodeId, to: NodeId) -> Result<Tensor> {
        if from == to {
            return Ok(map.clone());
        }
        match &self.cpu {
            Some(cpu) => cpu.infer(&self.graph, &self.parameters, (from, to), map),
            None => {
                let parameters = self.parameters.iter().map(|var| var.as_tensor().detach()).collect::<Vec<_>>();
                Ok(candle::run(&self.graph, &parameters, (from, to), map, Statistics::Running, &mut Vec::new())?)
            }
        }
    }

    /// What heads take of a feature map `[n, h, w, c]`: its mean, or its mean under each of `pool`'s masks, each normalised
    /// where the network does so: `[n, width]`. Map, masks and normalisation have candle's gradients.
    ///
    /// # Errors
    /// The map is not the network's.
    pub fn pool(&self, map: &Tensor, pool: &SpatialPool) -> Result<Tensor> {
        let pooled = pool.forward(map)?.features;
        let Some(norm) = &self.graph.pooled_norm else { return Ok(pooled) };
        let [weight, bias] = [norm.weight, norm.bias].map(|id| self.parameters[id].as_tensor());
        let (photos, width) = pooled.dims2()?;
        let means = pooled.reshape((photos, width / self.graph.features(), self.graph.features()))?;
        Ok(norm.apply(&means, weight, bias)?.reshape((photos, width))?)
    }

    /// The feature map of photos in training: running statistics move, and the backward pass is prepared.
    ///
    /// # Errors
    /// As [`Self::infer`].
    pub fn forward(&self, images: &Tensor) -> Result<Pass> {
        let map = self.infer_between(images, 0, self.frozen)?;
        self.forward_trained(&map)
    }

    /// As [`Self::forward`], from the output of the last node that is not trained (cached).
    ///
    /// # Errors
    /// As [`Self::infer`].
    pub fn forward_trained(&self, map: &Tensor) -> Result<Pass> {
        let span = (self.frozen, self.graph.output());
        if span.0 == span.1 {
            return Err(Error::Network("nothing of the network is trained".to_owned()));
        }
        let mut updates = Vec::new();
        let (output, kept) = match &self.cpu {
            Some(cpu) => {
                let (output, tape) =
                    cpu.forward(&self.graph, &self.parameters, span, map, self.statistics, &mut updates)?;
                (output, Kept::Cpu(tape))
            }
            None => {
                let parameters: Vec<_> = self.parameters.iter().map(|var| var.as_tensor().clone()).collect();
                let output = candle::run(&self.graph, &parameters, span, map, self.statistics, &mut updates)?;
                (output.detach(), Kept::Candle(output))
            }
        };
        self.move_statistics(&updates)?;
        Ok(Pass { output, kept })
    }

    /// Gradients of the trained parameters, in PyTorch's shapes, from the gradient of the feature map.
    ///
    /// # Errors
    /// The gradient's shape is not the map's.
    pub fn backward(&self, pass: Pass, gradient: &Tensor) -> Result<Vec<(ParameterId, Tensor)>> {
        match (pass.kept, &self.cpu) {
            (Kept::Cpu(tape), Some(cpu)) => cpu.backward(&self.graph, &self.parameters, tape, gradient),
            (Kept::Candle(output), _) => {
                let gradients = (output * gradient.detach())?.sum_all()?.backward()?;
                let one = |id: ParameterId| {
                    let gradient = gradients.get(self.parameters[id].as_tensor())?;
                    Some((id, gradient.detach()))
                };
                Ok(self.trained().into_iter().filter_map(one).collect())
            }
            (Kept::Cpu(_), None) => Err(Error::Network("the pass is another network's".to_owned())),
        }
    }

    /// `running = (1 - momentum) running + momentum batch`.
    fn move_statistics(&self, updates: &[RunningUpdate]) -> Result<()> {
        for update in updates {
            let Op::BatchNorm { mean, variance, momentum, .. } = &self.graph.nodes[update.node].op else { continue };
            for (id, batch) in [(*mean, &update.mean), (*variance, &update.variance)] {
                let running = &self.parameters[id];
                let kept = (running.as_tensor().detach() * (1.0 - momentum))?;
                running.set(&(kept + (batch * *momentum)?)?)?;
            }
        }
        Ok(())
    }
}

impl Op {
    /// The parameters that it uses.
    pub fn parameters(&self) -> Vec<ParameterId> {
        match self {
            Self::Conv { weight, bias, .. } => std::iter::once(*weight).chain(*bias).collect(),
            Self::BatchNorm { weight, bias, mean, variance, .. } => vec![*weight, *bias, *mean, *variance],
            Self::LayerNorm { weight, bias, .. } => vec![*weight, *bias],
            Self::ChannelScale { weight } => vec![*weight],
            _ => Vec::new(),
        }
    }
}
