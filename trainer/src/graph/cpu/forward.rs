//! Forwards.

use candle_core::{Tensor, Var};

use super::{Cpu, Map, NormState, Tape, source, tensor, with_values};
use crate::{
    error::{Error, Result},
    graph::{
        Graph, NodeId, Op, Statistics,
        candle::RunningUpdate,
        plan::{Norm, Plan, View},
    },
    ops::{self, ChannelSums, PoolGeometry, Source, batch_norm::Normalisation, conv::Geometry},
};

pub(super) struct Run<'a> {
    cpu: &'a Cpu,
    graph: &'a Graph,
    parameters: &'a [Var],
    plan: Plan,
    statistics: Statistics,
    /// Keep what the backward pass needs.
    keep: bool,
    maps: Vec<Option<Map>>,
    norms: Vec<Option<NormState>>,
    winners: Vec<Option<Vec<u8>>>,
}

impl<'a> Run<'a> {
    pub fn new(
        cpu: &'a Cpu,
        graph: &'a Graph,
        parameters: &'a [Var],
        plan: Plan,
        statistics: Statistics,
        keep: bool,
    ) -> Self {
        let count = graph.nodes.len();
        let (maps, norms, winners) =
            ((0..count).map(|_| None).collect(), (0..count).map(|_| None).collect(), vec![None; count]);
        Self { cpu, graph, parameters, plan, statistics, keep, maps, norms, winners }
    }

    /// The output of the plan's last node; with what the backward pass needs.
    pub fn run(mut self, map: &Tensor, updates: &mut Vec<RunningUpdate>) -> Result<(Tensor, Tape)> {
        self.load(map)?;
        for id in self.plan.from + 1..=self.plan.to {
            self.node(id, updates)?;
            if !self.keep {
                self.release(id);
            }
        }
        let view = self.plan.views[self.plan.to];
        let map = self.map(view.buffer)?;
        let channels = self.graph.nodes[view.buffer].channels;
        let mut output = vec![0.0; map.values.len()];
        ops::materialise(self.read(view)?, channels, &mut output);
        let output = tensor(output, &[map.images, map.rows, map.columns, channels])?;
        Ok((output, Tape { plan: self.plan, maps: self.maps, norms: self.norms, winners: self.winners }))
    }

    fn load(&mut self, map: &Tensor) -> Result<()> {
        let (images, rows, columns, channels) = map.dims4()?;
        let expected = self.graph.nodes[self.plan.from].channels;
        if channels != expected {
            return Err(Error::Network(format!("a map of {channels} channels where {expected} are read")));
        }
        let mut values = self.cpu.pool.take(map.elem_count());
        with_values(&map.contiguous()?, |from| values.copy_from_slice(from))?;
        self.maps[self.plan.from] = Some(Map { values, images, rows, columns });
        Ok(())
    }

    fn map(&self, buffer: NodeId) -> Result<&Map> {
        self.maps[buffer].as_ref().ok_or_else(|| Error::Network(format!("node {buffer} is read after its last reader")))
    }

    fn read(&self, view: View) -> Result<Source<'_>> {
        Ok(source(view, &self.map(view.buffer)?.values, &self.norms))
    }

    /// Frees the maps that `id` was the last to read.
    fn release(&mut self, id: NodeId) {
        for input in &self.graph.nodes[id].inputs {
            let buffer = self.plan.views[*input].buffer;
            if self.plan.last_reader[buffer] == id {
                self.maps[buffer] = None;
            }
        }
    }

    fn node(&mut self, id: NodeId, updates: &mut Vec<RunningUpdate>) -> Result<()> {
        let node = &self.graph.nodes[id];
        let views: Vec<View> = node.inputs.iter().map(|input| self.plan.views[*input]).collect();
        let output = match &node.op {
            Op::Input => return Err(Error::Network(format!("node {id} is a second input"))),
            // Read lazily; a batch's statistics came with the convolution before it.
            Op::BatchNorm { .. } | Op::Activation(_) => return Ok(()),
            Op::Conv { .. } => self.convolution(id, views[0], updates)?,
            Op::LayerNorm { weight, bias, epsilon } => {
                let mut out = self.like(views[0].buffer)?;
                let x = self.read(views[0])?;
                self.with_two(*weight, *bias, |weight, bias| {
                    ops::layer_norm::forward(x, node.channels, weight, bias, *epsilon, &mut out.values);
                })?;
                out
            }
            Op::ChannelScale { weight } => {
                let mut out = self.like(views[0].buffer)?;
                let x = self.read(views[0])?;
                self.with(*weight, |weight| ops::channel_scale::forward(x, weight, &mut out.values))?;
                out
            }
            Op::Add => {
                let mut out = self.like(views[0].buffer)?;
                ops::add(self.read(views[0])?, self.read(views[1])?, node.channels, &mut out.values);
                out
            }
            Op::Gate => {
                let mut out = self.like(views[0].buffer)?;
                let (x, gate) = (self.read(views[0])?, self.read(views[1])?);
                ops::gate::forward(x, gate, out.images, node.channels, &mut out.values);
                out
            }
            Op::GlobalPool => {
                let images = self.map(views[0].buffer)?.images;
                let mut out = Map { values: self.cpu.pool.take(images * node.channels), images, rows: 1, columns: 1 };
                ops::global_pool::forward(self.read(views[0])?, images, node.channels, &mut out.values);
                out
            }
            Op::MaxPool { kernel, stride, pad } => {
                let input = self.map(views[0].buffer)?;
                let sizes = [input.images, input.rows, input.columns, node.channels];
                let geometry = PoolGeometry::new(sizes, *kernel, *stride, *pad);
                let values = self.cpu.pool.take(geometry.out_values());
                let (images, rows, columns) = (input.images, geometry.out_rows, geometry.out_columns);
                let mut out = Map { values, images, rows, columns };
                let mut winners = vec![0; if self.keep { geometry.out_values() } else { 0 }];
                let kept = self.keep.then_some(winners.as_mut_slice());
                ops::max_pool(&geometry, self.read(views[0])?, &mut out.values, kept, &self.cpu.pool);
                self.winners[id] = self.keep.then_some(winners);
                out
            }
        };
        self.maps[id] = Some(output);
        Ok(())
    }

    /// A new map of another one's size.
    fn like(&self, buffer: NodeId) -> Result<Map> {
        let Map { values, images, rows, columns } = self.map(buffer)?;
        Ok(Map { values: self.cpu.pool.take(values.len()), images: *images, rows: *rows, columns: *columns })
    }

    fn with<R>(&self, id: usize, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
        with_values(self.parameters[id].as_tensor(), f)
    }

    fn with_two<R>(&self, a: usize, b: usize, f: impl FnOnce(&[f32], &[f32]) -> R) -> Result<R> {
        self.with(a, |a| self.with(b, |b| f(a, b)))?
    }

    fn convolution(&mut self, id: NodeId, view: View, updates: &mut Vec<RunningUpdate>) -> Result<Map> {
        let Op::Conv { spec, weight, bias } = &self.graph.nodes[id].op else { unreachable!("called for convolutions") };
        let input = self.map(view.buffer)?;
        if input.rows + 2 < spec.kernel.min(3) || input.pixels() == 0 {
            return Err(Error::Network(format!("the photos are too small: nothing is left at node {id}")));
        }
        let geometry = Geometry::new(*spec, input.images, input.rows, input.columns);
        let (images, rows, columns) = (input.images, geometry.out_rows, geometry.out_columns);
        let mut values = self.cpu.pool.take(geometry.out_pixels() * spec.outputs);
        // The batch-norm that follows, if one does.
        let norm = self.plan.norms[id].and_then(|norm| if let Norm::Batch(node) = norm { Some(node) } else { None });
        let of_batch = self.statistics == Statistics::Batch;
        let mut sums = (norm.is_some() && of_batch).then(ChannelSums::default);
        let kernel = self.cpu.kernels.get(geometry);
        let x = self.read(view)?;
        self.with(*weight, |weight| kernel.forward(x, weight, &mut values, sums.as_mut(), &self.cpu.pool))?;
        if let Some(bias) = bias {
            let shift = self.with(*bias, <[f32]>::to_vec)?;
            self.norms[id] = Some(NormState::Bias { scale: vec![1.0; shift.len()], shift });
        }
        if let Some(node) = norm {
            self.normalise(node, sums.as_ref(), images * rows * columns, updates)?;
        }
        Ok(Map { values, images, rows, columns })
    }

    /// Scale and shift of the batch-norm at `node`.
    fn normalise(
        &mut self,
        node: NodeId,
        sums: Option<&ChannelSums>,
        pixels: usize,
        updates: &mut Vec<RunningUpdate>,
    ) -> Result<()> {
        let Op::BatchNorm { weight, bias, mean, variance, epsilon, .. } = &self.graph.nodes[node].op else {
            return Err(Error::Network(format!("node {node} is no batch-norm")));
        };
        let (means, variances) = match sums {
            Some(sums) => sums.moments(pixels),
            None => {
                let widen = |id: usize| self.with(id, |v| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
                (widen(*mean)?, widen(*variance)?)
            }
        };
        if sums.is_some() {
            let unbiased = pixels as f64 / (pixels as f64 - 1.0).max(1.0);
            let channels = means.len();
            updates.push(RunningUpdate {
                node,
                mean: tensor(means.iter().map(|x| *x as f32).collect(), &[channels])?,
                variance: tensor(variances.iter().map(|x| (x * unbiased) as f32).collect(), &[channels])?,
            });
        }
        let normalisation = self
            .with_two(*weight, *bias, |weight, bias| Normalisation::new(weight, bias, means, &variances, *epsilon))?;
        self.norms[node] = Some(NormState::Batch { normalisation, of_batch: sums.is_some() });
        Ok(())
    }
}
