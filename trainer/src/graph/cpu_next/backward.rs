//! Backwards: the tape's nodes in reverse.
//!
//! The gradient that is kept for a stored map is that of `scale y + shift`, before the activation: readers mask by their
//! activation's derivative as they write. What lies under a batch-norm is completed by whoever reads it.

use std::rc::Rc;

use candle_core::{Tensor, Var};

use super::{Cpu, Map, NormState, Tape, source, tensor, with_values};
use crate::{
    error::{Error, Result},
    graph::{
        Graph, NodeId, Op, ParameterId,
        plan::{Norm, Plan, View},
    },
    ops::{self, Buffer, ChannelSums, GradSink, GradSource, Source, conv::Geometry},
};

pub(super) struct Run<'a> {
    cpu: &'a Cpu,
    graph: &'a Graph,
    parameters: &'a [Var],
    plan: Plan,
    maps: Vec<Option<Map>>,
    norms: Vec<Option<NormState>>,
    winners: Vec<Option<Vec<u8>>>,
    /// Per stored map; shared where a sum hands the same gradient to both sides.
    gradients: Vec<Option<Rc<Buffer>>>,
    /// Per stored map: the sums of its gradient, once it is complete, where a norm needs them.
    sums: Vec<Option<ChannelSums>>,
    /// Per stored map: readers whose gradient is still to come.
    pending: Vec<usize>,
    found: Vec<(ParameterId, Tensor)>,
}

/// Where an operation's input gradient goes, taken out of the run while the operation writes it.
struct Target {
    view: View,
    values: Buffer,
    accumulate: bool,
    sums: Option<ChannelSums>,
}

impl<'a> Run<'a> {
    pub fn new(cpu: &'a Cpu, graph: &'a Graph, parameters: &'a [Var], tape: Tape) -> Self {
        let Tape { plan, maps, norms, winners } = tape;
        let count = graph.nodes.len();
        let pending = plan.readers.clone();
        let (gradients, sums) = ((0..count).map(|_| None).collect(), vec![None; count]);
        Self { cpu, graph, parameters, plan, maps, norms, winners, gradients, sums, pending, found: Vec::new() }
    }

    pub fn run(mut self, gradient: &Tensor) -> Result<Vec<(ParameterId, Tensor)>> {
        let view = self.plan.views[self.plan.to];
        let map = self.map(view.buffer)?;
        let channels = self.graph.nodes[view.buffer].channels;
        let expected = [map.images, map.rows, map.columns, channels];
        if gradient.dims() != expected {
            let found = gradient.dims();
            return Err(Error::Network(format!("a gradient of shape {found:?} for a map of {expected:?}")));
        }
        with_values(&gradient.contiguous()?, |values| {
            self.write(view, |sink| ops::store_gradient(values, channels, sink))
        })??;
        for id in (self.plan.from + 1..=self.plan.to).rev() {
            self.node(id)?;
        }
        self.found.sort_unstable_by_key(|(id, _)| *id);
        Ok(self.found)
    }

    fn map(&self, buffer: NodeId) -> Result<&Map> {
        self.maps[buffer].as_ref().ok_or_else(|| Error::Network(format!("node {buffer} was not kept")))
    }

    fn read(&self, view: View) -> Result<Source<'_>> {
        Ok(source(view, &self.map(view.buffer)?.values, &self.norms))
    }

    fn channels(&self, node: NodeId) -> usize {
        self.graph.nodes[node].channels
    }

    /// Whether anything before the view is trained.
    fn wanted(&self, view: View) -> bool {
        self.plan.needs_gradient[view.buffer]
    }

    /// Takes the view's gradient out to be written; `None` where nobody asks for it.
    fn target(&mut self, view: View) -> Result<Option<Target>> {
        if !self.wanted(view) {
            return Ok(None);
        }
        self.pending[view.buffer] -= 1;
        let complete = self.pending[view.buffer] == 0;
        let len = self.map(view.buffer)?.values.len();
        let before = self.gradients[view.buffer].take();
        let accumulate = before.is_some();
        let values = match before.map(Rc::try_unwrap) {
            Some(Ok(values)) => values,
            Some(Err(shared)) => {
                let mut copy = self.cpu.pool.take(len);
                copy.copy_from_slice(&shared);
                copy
            }
            None => self.cpu.pool.take(len),
        };
        let sums = (complete && view.norm != Norm::None).then(ChannelSums::default);
        Ok(Some(Target { view, values, accumulate, sums }))
    }

    fn put_back(&mut self, target: Target) {
        self.gradients[target.view.buffer] = Some(Rc::new(target.values));
        self.sums[target.view.buffer] = target.sums;
    }

    fn sink<'b>(&'b self, target: &'b mut Target) -> Result<GradSink<'b>> {
        Ok(GradSink {
            values: &mut target.values,
            accumulate: target.accumulate,
            input: self.read(target.view)?,
            sums: target.sums.as_mut(),
        })
    }

    /// Lets `operation` write the view's gradient, if it is wanted.
    fn write(&mut self, view: View, operation: impl FnOnce(GradSink<'_>)) -> Result<()> {
        if let Some(mut target) = self.target(view)? {
            operation(self.sink(&mut target)?);
            self.put_back(target);
        }
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> Result<()> {
        let node = &self.graph.nodes[id];
        if matches!(node.op, Op::BatchNorm { .. } | Op::Activation(_)) || !self.plan.needs_gradient[id] {
            return Ok(());
        }
        // A map that leads nowhere has no gradient.
        let Some(gradient) = self.gradients[id].take() else { return Ok(()) };
        let views: Vec<View> = node.inputs.iter().map(|input| self.plan.views[*input]).collect();
        let channels = node.channels;
        match &node.op {
            Op::Input | Op::BatchNorm { .. } | Op::Activation(_) => {}
            Op::Conv { .. } => self.convolution(id, views[0], &gradient)?,
            Op::Add => self.add(&views, gradient)?,
            Op::Gate => {
                let images = self.map(id)?.images;
                let mut targets = [self.target(views[0])?, self.target(views[1])?];
                let [x, gate] = &mut targets;
                let sinks = [
                    x.as_mut().map(|target| self.sink(target)).transpose()?,
                    gate.as_mut().map(|target| self.sink(target)).transpose()?,
                ];
                let (x, gate) = (self.read(views[0])?, self.read(views[1])?);
                ops::gate::backward(x, gate, &gradient, images, channels, sinks);
                targets.into_iter().flatten().for_each(|target| self.put_back(target));
            }
            Op::GlobalPool => {
                let images = self.map(id)?.images;
                self.write(views[0], |sink| ops::global_pool::backward(&gradient, images, channels, sink))?;
            }
            Op::MaxPool { kernel, stride, pad } => {
                let input = self.map(views[0].buffer)?;
                let sizes = (input.images, input.rows, input.columns, channels);
                let shape = ops::max_pool::Shape::new((*kernel, *stride, *pad), sizes);
                let winners = self.winners[id].take().unwrap_or_default();
                self.write(views[0], |sink| ops::max_pool::backward(&shape, &winners, &gradient, sink))?;
            }
            Op::LayerNorm { weight, bias, epsilon } => {
                let (mut d_weight, mut d_bias) = (vec![0.0; channels], vec![0.0; channels]);
                let mut target = self.target(views[0])?;
                let sink = target.as_mut().map(|target| self.sink(target)).transpose()?;
                let x = self.read(views[0])?;
                with_values(self.parameters[*weight].as_tensor(), |scale| {
                    let into = (&mut d_weight[..], &mut d_bias[..]);
                    ops::layer_norm::backward(x, channels, scale, *epsilon, &gradient, sink, into);
                })?;
                target.into_iter().for_each(|target| self.put_back(target));
                self.found.push((*weight, tensor(d_weight, &[channels])?));
                self.found.push((*bias, tensor(d_bias, &[channels])?));
            }
            Op::ChannelScale { weight } => {
                let mut d_weight = vec![0.0; channels];
                let mut target = self.target(views[0])?;
                let sink = target.as_mut().map(|target| self.sink(target)).transpose()?;
                let x = self.read(views[0])?;
                with_values(self.parameters[*weight].as_tensor(), |scale| {
                    ops::channel_scale::backward(x, scale, &gradient, sink, &mut d_weight);
                })?;
                target.into_iter().for_each(|target| self.put_back(target));
                self.found.push((*weight, tensor(d_weight, &[channels])?));
            }
        }
        // All its readers are done, and so is it.
        self.maps[id] = None;
        Ok(())
    }

    /// Both sides get the same gradient: shared as long as nobody adds to it.
    fn add(&mut self, views: &[View], gradient: Rc<Buffer>) -> Result<()> {
        for view in views {
            let buffer = view.buffer;
            let passes = view.activation == ops::Activation::Identity && self.gradients[buffer].is_none();
            if !self.wanted(*view) {
                continue;
            }
            let channels = self.channels(buffer);
            if passes {
                self.pending[buffer] -= 1;
                if self.pending[buffer] == 0 && view.norm != Norm::None {
                    self.sums[buffer] = Some(ops::product_sums(&gradient, &self.map(buffer)?.values, channels));
                }
                self.gradients[buffer] = Some(Rc::clone(&gradient));
            } else {
                self.write(*view, |sink| ops::store_gradient(&gradient, channels, sink))?;
            }
        }
        Ok(())
    }

    fn convolution(&mut self, id: NodeId, view: View, gradient: &Buffer) -> Result<()> {
        let Op::Conv { spec, weight, bias } = &self.graph.nodes[id].op else { unreachable!("called for convolutions") };
        let input = self.map(view.buffer)?;
        let geometry = Geometry::new(*spec, input.images, input.rows, input.columns);
        let kernel = self.cpu.kernels.get(geometry);
        let norm = match self.plan.norms[id] {
            Some(Norm::Batch(node)) => Some(self.batch_norm(id, node)?),
            _ => None,
        };
        if let Some(bias) = bias {
            let sums = self.sums[id].take().ok_or_else(|| Error::Network(format!("node {id} has no sums")))?;
            let values = sums.sum.iter().map(|x| *x as f32).collect();
            self.found.push((*bias, tensor(values, &[spec.outputs])?));
        }
        let shape = self.parameters[*weight].dims().to_vec();
        let mut d_weight = vec![0.0; shape.iter().product()];
        let mut target = self.target(view)?;
        {
            let sink = target.as_mut().map(|target| self.sink(target)).transpose()?;
            let y = &self.map(id)?.values;
            let factors = norm.as_ref().map(|[a, b, c]| (&y[..], [&a[..], &b[..], &c[..]]));
            let dy = GradSource { values: gradient, norm: factors };
            let x = self.read(view)?;
            with_values(self.parameters[*weight].as_tensor(), |weight| {
                kernel.backward(x, weight, dy, sink, Some(&mut d_weight), &self.cpu.pool);
            })?;
        }
        target.into_iter().for_each(|target| self.put_back(target));
        self.found.push((*weight, tensor(d_weight, &shape)?));
        Ok(())
    }

    /// Gradients of scale and shift, and the factors by which the gradient of the raw map is put together.
    ///
    /// With x' = (y - m) r: `dy = w r (dz - mean(dz) - x' mean(dz x'))`, where m and r are the batch's; else `dy = w r dz`
    /// (S. Ioffe and C. Szegedy, ICML 2015).
    fn batch_norm(&mut self, id: NodeId, node: NodeId) -> Result<[Vec<f32>; 3]> {
        let Op::BatchNorm { weight, bias, .. } = &self.graph.nodes[node].op else { unreachable!("the plan says so") };
        let missing = || Error::Network(format!("node {node} has no statistics"));
        let sums = self.sums[id].take().ok_or_else(missing)?;
        let pixels = self.map(id)?.pixels() as f64;
        let state = self.norms[node].as_ref().ok_or_else(missing)?;
        let (mean, inverse) = state.moments.as_ref().ok_or_else(missing)?;
        let channels = mean.len();
        let (mut d_weight, mut d_bias) = (vec![0.0; channels], vec![0.0; channels]);
        let mut factors = [vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]];
        for c in 0..channels {
            let (m, r, scale) = (f64::from(mean[c]), f64::from(inverse[c]), f64::from(state.scale[c]));
            let projected = (sums.product[c] - m * sums.sum[c]) * r;
            d_weight[c] = projected as f32;
            d_bias[c] = sums.sum[c] as f32;
            factors[0][c] = scale as f32;
            if state.of_batch {
                let slope = -scale * r * projected / pixels;
                factors[1][c] = slope as f32;
                factors[2][c] = (-scale * sums.sum[c] / pixels - slope * m) as f32;
            }
        }
        self.found.push((*weight, tensor(d_weight, &[channels])?));
        self.found.push((*bias, tensor(d_bias, &[channels])?));
        Ok(factors)
    }
}
