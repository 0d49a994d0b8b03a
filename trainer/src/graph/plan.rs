//! Which nodes of a graph are stored, and how the others are read from those.

use super::{Graph, NodeId, Op};
use crate::{
    error::{Error, Result},
    ops::Activation,
};

/// What lies between a stored map and its reader, besides the activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Norm {
    None,
    /// The batch-norm of this node.
    Batch(NodeId),
    /// The bias of the convolution at this node.
    Bias(NodeId),
}

/// A node as its readers see it: a stored map, normalised and activated as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// The node that is stored.
    pub buffer: NodeId,
    pub norm: Norm,
    pub activation: Activation,
}

/// How the nodes after `from` up to `to` run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub from: NodeId,
    pub to: NodeId,
    /// Per node.
    pub views: Vec<View>,
    /// Per stored node: how often it is read (`to` is read once more, by the caller).
    pub readers: Vec<usize>,
    /// Per stored node: the last node that reads it.
    pub last_reader: Vec<NodeId>,
    /// Per stored node: how its readers normalise it.
    pub norms: Vec<Option<Norm>>,
    /// Per stored node: whether a trained parameter lies before or in it (after `from`).
    pub needs_gradient: Vec<bool>,
}

impl Plan {
    /// # Errors
    /// The graph does not hang together in a way that can be run from there.
    pub fn new(graph: &Graph, from: NodeId, to: NodeId) -> Result<Self> {
        let count = graph.nodes.len();
        let stored = |node| View { buffer: node, norm: Norm::None, activation: Activation::Identity };
        let mut plan = Self {
            from,
            to,
            views: (0..count).map(stored).collect(),
            readers: vec![0; count],
            last_reader: vec![0; count],
            norms: vec![None; count],
            needs_gradient: vec![false; count],
        };
        for id in from + 1..=to {
            plan.place(graph, id)?;
        }
        let output = plan.views[to].buffer;
        plan.read(plan.views[to])?;
        plan.last_reader[output] = usize::MAX;
        Ok(plan)
    }

    /// A gradient can be kept for one normalisation of a map only.
    fn read(&mut self, view: View) -> Result<()> {
        self.readers[view.buffer] += 1;
        match self.norms[view.buffer].replace(view.norm) {
            Some(norm) if norm != view.norm => {
                Err(Error::Network(format!("node {} is read with and without its normalisation", view.buffer)))
            }
            _ => Ok(()),
        }
    }

    fn place(&mut self, graph: &Graph, id: NodeId) -> Result<()> {
        let node = &graph.nodes[id];
        let unsupported = |what: &str| Error::Network(format!("node {id}: {what}"));
        if node.inputs.iter().any(|input| *input < self.from) {
            return Err(unsupported("it reads a map before the stage's beginning"));
        }
        let inherited = |plan: &Self| node.inputs.iter().any(|input| plan.needs_gradient[plan.views[*input].buffer]);
        match &node.op {
            Op::BatchNorm { .. } => {
                let view = self.views[node.inputs[0]];
                let is_raw = view.norm == Norm::None && view.activation == Activation::Identity;
                if !is_raw || !matches!(graph.nodes[view.buffer].op, Op::Conv { .. }) || view.buffer == self.from {
                    return Err(unsupported("a batch-norm that does not follow a convolution"));
                }
                self.views[id] = View { norm: Norm::Batch(id), ..view };
            }
            Op::Activation(activation) => {
                let view = self.views[node.inputs[0]];
                if view.activation != Activation::Identity {
                    return Err(unsupported("an activation of an activation"));
                }
                self.views[id] = View { activation: *activation, ..view };
            }
            op => {
                if matches!(op, Op::Conv { bias: Some(_), .. }) {
                    self.views[id].norm = Norm::Bias(id);
                }
                let trains = matches!(op, Op::Conv { .. } | Op::LayerNorm { .. } | Op::ChannelScale { .. });
                self.needs_gradient[id] = trains || inherited(self);
                for input in &node.inputs {
                    let view = self.views[*input];
                    self.read(view)?;
                    self.last_reader[view.buffer] = id;
                }
            }
        }
        Ok(())
    }
}
