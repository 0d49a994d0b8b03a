//! The trunk in training: where the heads' features come from when they are not frozen.

use std::{collections::HashMap, path::Path, sync::Arc};

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use kenami_domain::run_config::{RunConfig, TrainPart};

use crate::{
    attention::SpatialPool,
    augment::{Augment, Mix, draw_mix},
    data::{Batches, Dataset, Loader, LoaderOptions, MemoryBudget, Transform},
    device,
    error::{Error, Result},
    features::{FeatureCache, Precision},
    graph::{Network, NodeId, ParameterId, ParameterKind, Pass, Statistics},
    models::{self, Weights},
    observer::{Event, Observer},
    optim::{Parameter, trunk_rate},
};

/// Before a trunk's parameter in checkpoints.
const PREFIX: &str = "trunk.";
/// Photos between two progress events, and whose maps are written together.
const CHUNK: usize = 128;

/// What a forward pass leaves until its gradients are there.
pub(crate) struct Step {
    map: Var,
    pass: Pass,
}

/// Pooled features of a batch, and what their gradients need.
pub(crate) struct Fed {
    /// `[n, width]`.
    pub features: Tensor,
    /// Absent while the trunk is still frozen.
    pub step: Option<Step>,
    /// How the batch's photos were mixed.
    pub mix: Option<Mix>,
}

/// A network whose trunk is trained, with its photos.
pub(crate) struct FineTune {
    network: Network,
    pool: SpatialPool,
    trained: Vec<ParameterId>,
    /// Made with the first epoch, whose batches say their size.
    train: Option<Loader>,
    make_loader: Box<dyn Fn(usize) -> Loader + Send>,
    evaluate: Loader,
    batches: Option<Batches>,
    /// Outputs of the frozen part, where that is all the trained part needs.
    cached: Option<Maps>,
    config: RunConfig,
}

/// Cached maps of the frozen part.
struct Maps {
    cache: FeatureCache,
    hashes: Vec<blake3::Hash>,
    from: NodeId,
    shape: [usize; 3],
}

impl FineTune {
    /// The network of `config` with these weights. `cache` is where maps of the frozen part are kept.
    ///
    /// # Errors
    /// The weights do not fit, or a photo cannot be read.
    pub fn new(
        dataset: &Dataset,
        config: &RunConfig,
        weights: &Weights,
        cache: &Path,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let graph = models::graph(config.model.name)?;
        let mut network = Network::new(graph, weights.named(&Device::Cpu)?, &device::of(config)?)?;
        let statistics = if config.model.frozen_norm { Statistics::Running } else { Statistics::Batch };
        let from = match config.model.train {
            TrainPart::LastStage => {
                let stages = &network.graph().stages;
                stages[stages.len().saturating_sub(2)]
            }
            _ => 0,
        };
        network.train_after(from, statistics);
        let photos = Arc::new(dataset.clone());
        let workers = config.data.workers as usize;
        let options = move |batch_size| LoaderOptions { workers, ..LoaderOptions::new(batch_size) };
        let budget = Arc::new(MemoryBudget::new(config.data.cache_mb as usize * 1024 * 1024));
        let augment = Transform::Train(Augment::new(&config.augment, config.seed, config.image_size));
        let normalisation = weights.normalisation;
        let evaluate = Loader::new(
            photos.clone(),
            Transform::Evaluate(config.evaluation_size()),
            normalisation,
            options(config.batch_size as usize),
            // Kept photos are the training's: each epoch needs all of them.
            Arc::new(MemoryBudget::new(0)),
        );
        let make_loader = Box::new(move |batch_size| {
            Loader::new(photos.clone(), augment.clone(), normalisation, options(batch_size), Arc::clone(&budget))
        });
        let mut trained = network.trained();
        trained.extend(network.graph().pooled_norm.iter().flat_map(|norm| [norm.weight, norm.bias]));
        let pool = SpatialPool::new(&config.model, network.graph().features(), config.seed, &Device::Cpu)?;
        let (config, last_stage) = (config.clone(), config.model.train == TrainPart::LastStage);
        let mut tune =
            Self { network, pool, trained, train: None, make_loader, evaluate, batches: None, cached: None, config };
        if last_stage {
            tune.cached = Some(tune.cache_maps(dataset, weights, from, cache, observer)?);
        }
        Ok(tune)
    }

    /// Features of a photo.
    pub fn width(&self) -> usize {
        self.pool.width()
    }

    /// What pools the network's map.
    pub fn pool(&self) -> &SpatialPool {
        &self.pool
    }

    /// The trunk's trained parameters, at the rates of their stages.
    pub fn parameters(&self) -> Vec<Parameter> {
        let graph = self.network.graph();
        let mut stage_of = vec![0; graph.parameters.len()];
        for (id, node) in graph.nodes.iter().enumerate() {
            let above = graph.stages.iter().filter(|end| **end >= id).count().saturating_sub(1);
            node.op.parameters().into_iter().for_each(|parameter| stage_of[parameter] = above);
        }
        let parameter = |id: &ParameterId| {
            let spec = &graph.parameters[*id];
            let rate = trunk_rate(&self.config.optimizer, stage_of[*id] as u32);
            let name = format!("{PREFIX}{}", spec.name);
            Parameter::pretrained(name, self.network.parameters()[*id].clone(), spec.kind.decays(), rate)
        };
        self.trained.iter().map(parameter).collect()
    }

    /// Running statistics, which no optimiser moves, by their names in checkpoints.
    pub fn statistics(&self) -> Vec<(String, Var)> {
        let named = self.network.graph().parameters.iter().zip(self.network.parameters());
        let running = |kind| matches!(kind, ParameterKind::RunningMean | ParameterKind::RunningVariance);
        let named = named.filter(|(spec, _)| running(spec.kind));
        named.map(|(spec, var)| (format!("{PREFIX}{}", spec.name), var.clone())).collect()
    }

    /// Takes everything of the trunk from a checkpoint.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn restore(&self, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (name, var) in self.statistics() {
            var.set(&find(&name)?.to_device(var.device())?)?;
        }
        Ok(())
    }

    /// The last map of the batch's `input` to node `from`, where the network is frozen.
    fn map(&self, input: &Tensor, from: NodeId) -> Result<Tensor> {
        let input = input.to_device(self.network.device())?;
        let map = self.network.infer_between(&input, from, self.network.graph().output())?;
        // Maps are small: heads and losses work on the processor, whatever the network runs on.
        Ok(map.to_device(&Device::Cpu)?)
    }

    /// The trunk as weights that a frozen one can be made of.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub fn weights(&self, like: &Weights) -> Result<Weights> {
        let named = self.network.graph().parameters.iter().zip(self.network.parameters());
        Weights::from_tensors(named.map(|(spec, var)| (spec.name.clone(), var.as_tensor())), like.normalisation)
    }

    /// Begins an epoch over these rows of the dataset, batch by batch.
    pub fn begin(&mut self, epoch: u32, batches: &[Vec<usize>]) {
        if self.cached.is_none()
            && let Some(first) = batches.first()
        {
            let loader = self.train.get_or_insert_with(|| (self.make_loader)(first.len()));
            self.batches = Some(loader.epoch(u64::from(epoch), batches.concat(), 0));
        }
    }

    /// Pooled features of the next batch, which has these rows of the dataset.
    ///
    /// # Errors
    /// A photo cannot be read, by name.
    pub fn next(&mut self, epoch: u32, rows: &[usize], is_frozen: bool) -> Result<Fed> {
        let (input, from, mix) = match &self.cached {
            Some(maps) => (maps.read(rows)?, maps.from, None),
            None => self.load(epoch, rows)?,
        };
        if is_frozen {
            let map = self.map(&input, from)?;
            return Ok(Fed { features: self.network.pool(&map, &self.pool)?, step: None, mix });
        }
        let input = input.to_device(self.network.device())?;
        let pass =
            if self.cached.is_some() { self.network.forward_trained(&input)? } else { self.network.forward(&input)? };
        let map = Var::from_tensor(&pass.output.to_device(&Device::Cpu)?)?;
        Ok(Fed { features: self.network.pool(map.as_tensor(), &self.pool)?, step: Some(Step { map, pass }), mix })
    }

    fn load(&mut self, epoch: u32, rows: &[usize]) -> Result<(Tensor, NodeId, Option<Mix>)> {
        let batch = self.batches.as_mut().and_then(Iterator::next);
        let mut batch = batch.ok_or_else(|| Error::Run("the loader has no batch left".to_owned()))??;
        debug_assert_eq!(batch.items, rows);
        let (seed, size) = (self.config.seed, self.config.image_size);
        let mix = draw_mix(&self.config.augment, seed, u64::from(epoch), batch.number as u64, size);
        if let Some(mix) = &mix {
            mix.images(&mut batch.images, size);
        }
        let shape = (rows.len(), batch.size, batch.size, 3);
        Ok((Tensor::from_vec(batch.images, shape, &Device::Cpu)?, 0, mix))
    }

    /// Gradients of [`Self::parameters`], in their order, from those of the batch's loss.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub fn gradients(&self, step: Option<Step>, store: &GradStore) -> Result<Vec<Option<Tensor>>> {
        // Frozen still: what stands behind the map is, too.
        let Some(step) = step else { return Ok(vec![None; self.trained.len()]) };
        let Some(gradient) = store.get(step.map.as_tensor()) else { return Ok(vec![None; self.trained.len()]) };
        let gradient = gradient.to_device(self.network.device())?;
        let found: HashMap<ParameterId, Tensor> = self.network.backward(step.pass, &gradient)?.into_iter().collect();
        let behind = |id: &ParameterId| store.get(self.network.parameters()[*id].as_tensor()).map(Tensor::detach);
        Ok(self.trained.iter().map(|id| found.get(id).cloned().or_else(|| behind(id))).collect())
    }

    /// Pooled features of these rows, as the network is now.
    ///
    /// # Errors
    /// A photo cannot be read, or the observer cancelled.
    pub fn features(&self, rows: &[usize], observer: &dyn Observer) -> Result<Tensor> {
        let mut parts = Vec::new();
        if let Some(maps) = &self.cached {
            for rows in rows.chunks(self.config.batch_size as usize) {
                stop(observer)?;
                let map = self.map(&maps.read(rows)?, maps.from)?;
                // Detached part by part: the masks' history would keep every map.
                parts.push(self.network.pool(&map, &self.pool)?.detach());
            }
        } else {
            for batch in self.evaluate.epoch(0, rows.to_vec(), 0) {
                stop(observer)?;
                let batch = batch?;
                let shape = (batch.items.len(), batch.size, batch.size, 3);
                let pooled = |images: Vec<f32>| {
                    let images = Tensor::from_vec(images, shape, &Device::Cpu)?;
                    Ok::<_, Error>(self.network.pool(&self.map(&images, 0)?, &self.pool)?.detach())
                };
                parts.push(if self.config.evaluate.flip {
                    // Row after row, whatever photo it is of.
                    let mirrored = models::flipped(&batch.images, batch.size);
                    ((pooled(batch.images)? + pooled(mirrored)?)? / 2.0)?
                } else {
                    pooled(batch.images)?
                });
            }
        }
        if parts.is_empty() {
            return Ok(Tensor::zeros((0, self.width()), candle_core::DType::F32, &Device::Cpu)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Computes the frozen part's output for all photos, as far as it is not cached.
    fn cache_maps(
        &self,
        dataset: &Dataset,
        weights: &Weights,
        from: NodeId,
        dir: &Path,
        observer: &dyn Observer,
    ) -> Result<Maps> {
        let size = self.config.image_size as usize;
        let blank = Tensor::zeros((1, size, size, 3), candle_core::DType::F32, self.network.device())?;
        let (_, h, w, c) = self.network.infer_between(&blank, 0, from)?.dims4()?;
        let width = h * w * c;
        let preprocessing = models::preprocessing(weights, self.config.image_size);
        let name = self.config.model.name;
        let key = format!("map v1 {name} {from} {} {}", weights.hash(), preprocessing.describe());
        let key = blake3::hash(key.as_bytes());
        let cache = FeatureCache::open(dir, key, width, Precision::Half)?;
        let hashes = dataset.items.iter().map(|item| match dataset.trusted_hash(item) {
            Some(hash) => Ok(hash),
            None => Ok(blake3::hash(&dataset.bytes(item)?)),
        });
        let hashes = hashes.collect::<Result<Vec<_>>>()?;
        let missing: Vec<usize> = (0..hashes.len()).filter(|row| !cache.contains(&hashes[*row])).collect();
        let (total, cached) = (hashes.len(), hashes.len() - missing.len());
        let mut fresh: Vec<(blake3::Hash, Vec<f32>)> = Vec::new();
        let mut done = cached;
        for batch in self.evaluate.epoch(0, missing, 0) {
            stop(observer)?;
            let batch = batch?;
            let images = Tensor::from_vec(batch.images, (batch.items.len(), size, size, 3), self.network.device())?;
            let maps = self.network.infer_between(&images, 0, from)?.flatten_all()?.to_vec1::<f32>()?;
            fresh.extend(batch.items.iter().map(|row| hashes[*row]).zip(maps.chunks(width).map(<[f32]>::to_vec)));
            done += batch.items.len();
            if fresh.len() >= CHUNK || done == total {
                cache.append(&fresh)?;
                fresh.clear();
                observer.event(Event::Features { done, total, cached });
            }
        }
        let cache = FeatureCache::open(dir, key, width, Precision::Half)?;
        Ok(Maps { cache, hashes, from, shape: [h, w, c] })
    }
}

impl Maps {
    fn read(&self, rows: &[usize]) -> Result<Tensor> {
        let [h, w, c] = self.shape;
        let mut values = vec![0.0; rows.len() * h * w * c];
        for (row, map) in rows.iter().zip(values.chunks_mut(h * w * c)) {
            if !self.cache.read(&self.hashes[*row], map)? {
                return Err(Error::Run("a cached feature map is gone: another process has removed it".to_owned()));
            }
        }
        Ok(Tensor::from_vec(values, (rows.len(), h, w, c), &Device::Cpu)?)
    }
}

fn stop(observer: &dyn Observer) -> Result<()> {
    if observer.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
