//! Our side of `make bench-train`: one case, a measurement for each line on standard input. See scripts/bench_train.py for
//! the protocol and what the cases are.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{BufRead, Write},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use candle_core::{DType, Device, Tensor, Var};
use kenami_domain::{
    dataset::{Item, Manifest, Schema, Split},
    run_config::{AugmentConfig, HeadConfig, LossName, ModelName, OptimizerConfig, RunConfig},
};
use kenami_trainer::{
    Dataset, Silent,
    augment::Augment,
    data::{Files, HeadData, Loader, LoaderOptions, MemoryBudget, Transform},
    features,
    graph::Network,
    heads::HeadTrainer,
    losses, models,
    models::{Normalisation, Weights},
    optim::{Gradients, Optimizer, Parameter},
};

type Outcome<T> = Result<T, Box<dyn Error>>;
/// Does the work once; how many images it was.
type Measure = Box<dyn FnMut() -> Outcome<usize>>;

// As in scripts/bench_train.py.
const PHOTOS: usize = 256;
const HEADS_PHOTOS: usize = 3680;
const HEADS_WIDTH: usize = 1280;
const HEADS_CLASSES: [usize; 4] = [37, 4, 5, 4];
const CLASSES: usize = 37;
const SMOOTHING: f64 = 0.1;

fn main() -> Outcome<()> {
    let case = env::args().nth(1).ok_or("usage: bench_train CASE")?;
    let mut measure = match prepare(&case).and_then(|mut measure| {
        measure()?;
        if case.contains('/') {
            measure()?;
        }
        Ok(measure)
    }) {
        Ok(measure) => measure,
        Err(reason) => {
            println!("unavailable {reason}");
            return Ok(());
        }
    };
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let begin = Instant::now();
        let images = measure()?;
        say(&format!("{images} {}", begin.elapsed().as_secs_f64()))?;
    }
    Ok(())
}

/// The other side waits for the line.
fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn setting(name: &str) -> Outcome<usize> {
    let value = env::var(format!("BENCH_{name}")).map_err(|_| format!("BENCH_{name} is not set"))?;
    Ok(value.parse()?)
}

fn prepare(case: &str) -> Outcome<Measure> {
    let (batch, size, threads) = (setting("BATCH")?, setting("SIZE")?, setting("THREADS")?);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    match case.split_once('/') {
        Some((name, "forward")) => forward(name, batch, size),
        Some((name, "train")) => train(name, batch, size),
        None if case == "loader" => loader(batch, size, threads),
        None if case == "features" => extraction(size),
        None if case == "heads" => heads(),
        _ => Err(format!("there is no case {case}").into()),
    }
}

/// The network with random weights, and a linear head.
fn network(name: &str) -> Outcome<(Network, Var, Var)> {
    let name = ModelName::ALL.iter().find(|known| known.as_str() == name).ok_or("there is no such network")?;
    let graph = models::graph(*name)?;
    let width = graph.features();
    let tensors = Weights::random(*name, 0).named(&Device::Cpu)?;
    let network = Network::new(graph, tensors, &Device::Cpu)?;
    let weight = Var::randn(0f32, 0.01, (CLASSES, width), &Device::Cpu)?;
    Ok((network, weight, Var::zeros(CLASSES, DType::F32, &Device::Cpu)?))
}

/// A batch of noise, rows by columns by colours.
fn images(batch: usize, size: usize) -> Outcome<Tensor> {
    Ok(Tensor::randn(0f32, 1.0, (batch, size, size, 3), &Device::Cpu)?)
}

fn logits(map: &Tensor, weight: &Var, bias: &Var) -> Outcome<Tensor> {
    let pooled = map.mean((1, 2))?;
    Ok(pooled.matmul(&weight.as_tensor().t()?)?.broadcast_add(bias.as_tensor())?)
}

fn forward(name: &str, batch: usize, size: usize) -> Outcome<Measure> {
    let (network, weight, bias) = network(name)?;
    let images = images(batch, size)?;
    Ok(Box::new(move || {
        logits(&network.infer(&images)?, &weight, &bias)?;
        Ok(batch)
    }))
}

fn train(name: &str, batch: usize, size: usize) -> Outcome<Measure> {
    let (network, weight, bias) = network(name)?;
    let images = images(batch, size)?;
    let target = |row: usize, class: usize| {
        let hit = if row % CLASSES == class { 1.0 - SMOOTHING } else { 0.0 };
        (hit + SMOOTHING / CLASSES as f64) as f32
    };
    let targets: Vec<f32> = (0..batch * CLASSES).map(|i| target(i / CLASSES, i % CLASSES)).collect();
    let targets = Tensor::from_vec(targets, (batch, CLASSES), &Device::Cpu)?;
    let trained = network.trained();
    let specs = &network.graph().parameters;
    let mut parameters: Vec<Parameter> = trained
        .iter()
        .map(|id| Parameter::new(specs[*id].name.clone(), network.parameters()[*id].clone(), specs[*id].kind.decays()))
        .collect();
    parameters.push(Parameter::new("head.weight", weight.clone(), true));
    parameters.push(Parameter::new("head.bias", bias.clone(), false));
    let mut optimizer = Optimizer::new(&OptimizerConfig::default(), parameters)?;
    Ok(Box::new(move || {
        let pass = network.forward(&images)?;
        let map = Var::from_tensor(&pass.output)?;
        let logits = logits(map.as_tensor(), &weight, &bias)?;
        let loss = losses::per_photo(LossName::CrossEntropy, &logits, &targets)?.mean_all()?;
        let store = loss.backward()?;
        let of_map = store.get(map.as_tensor()).ok_or("the feature map has no gradient")?;
        let mut of_trunk: BTreeMap<_, _> = network.backward(pass, of_map)?.into_iter().collect();
        let mut gradients: Vec<Option<Tensor>> = trained.iter().map(|id| of_trunk.remove(id)).collect();
        gradients.extend([&weight, &bias].map(|var| store.get(var.as_tensor()).cloned()));
        optimizer.step(&Gradients::new(gradients), 0.01)?;
        Ok(batch)
    }))
}

/// The folder's first photos by name.
fn photos() -> Outcome<Vec<PathBuf>> {
    let folder = PathBuf::from(env::var("BENCH_PHOTOS").map_err(|_| "BENCH_PHOTOS is not set")?);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    let is_photo = |path: &PathBuf| {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        extension.is_some_and(|extension| extension == "jpg" || extension == "jpeg" || extension == "png")
    };
    paths.retain(is_photo);
    paths.sort();
    paths.truncate(PHOTOS);
    if paths.is_empty() { Err(format!("{}: there is no photo in it", folder.display()).into()) } else { Ok(paths) }
}

/// Every photo is decoded in every pass: nothing is kept.
fn loader(batch: usize, size: usize, threads: usize) -> Outcome<Measure> {
    let paths = photos()?;
    let count = paths.len();
    let transform = Transform::Train(Augment::new(&AugmentConfig::default(), 0, size as u32));
    let options = LoaderOptions { workers: threads, ..LoaderOptions::new(batch) };
    let budget = Arc::new(MemoryBudget::new(0));
    let loader = Loader::new(Arc::new(Files(paths)), transform, Normalisation::HALF, options, budget);
    let mut epoch = 0;
    Ok(Box::new(move || {
        epoch += 1;
        let mut images = 0;
        for batch in loader.epoch(epoch, (0..count).collect(), 0) {
            images += batch.map_err(kenami_trainer::Error::from)?.items.len();
        }
        Ok(images)
    }))
}

fn extraction(size: usize) -> Outcome<Measure> {
    let items: Vec<Item> =
        photos()?.into_iter().map(|path| Item::new(path.display().to_string(), Split::Train)).collect();
    let manifest = Manifest::new("bench", Schema { attributes: Vec::new() });
    let dataset = Dataset::new(manifest, items, |item| fs::read(&item.image));
    let weights = Weights::random(ModelName::EfficientnetLite0, 0);
    let trunk = models::build_trunk(ModelName::EfficientnetLite0, &weights)?;
    let preprocessing = models::preprocessing(&weights, size as u32);
    Ok(Box::new(move || Ok(features::extract(&dataset, trunk.as_ref(), &preprocessing, None, &Silent)?.computed)))
}

fn heads() -> Outcome<Measure> {
    let wave = |i: usize| ((i as f32) * 0.618).sin();
    let features: Vec<f32> = (0..HEADS_PHOTOS * HEADS_WIDTH).map(wave).collect();
    let rows: Vec<usize> = (0..HEADS_PHOTOS).collect();
    let data: Vec<HeadData> = HEADS_CLASSES.iter().enumerate().map(|(i, classes)| head(i, *classes)).collect();
    let config = RunConfig { epochs: 30, batch_size: 32, ..RunConfig::default() };
    Ok(Box::new(move || {
        let mut trainer = HeadTrainer::new(&config, &data, &features, HEADS_WIDTH, (&rows, &[]))?;
        for epoch in 1..=config.epochs {
            trainer.epoch(epoch, &Silent)?;
        }
        Ok(HEADS_PHOTOS * config.epochs as usize)
    }))
}

/// Soft targets for every photo.
fn head(number: usize, classes: usize) -> HeadData {
    let target = |i: usize| {
        let hit = if i / classes % classes == i % classes { 1.0 - SMOOTHING } else { 0.0 };
        (hit + SMOOTHING / classes as f64) as f32
    };
    HeadData {
        annotated: false,
        attribute: format!("head_{number}"),
        config: HeadConfig { smoothing: Some(SMOOTHING), ..HeadConfig::default() },
        labels: (0..classes).map(|value| value.to_string()).collect(),
        targets: (0..HEADS_PHOTOS * classes).map(target).collect(),
        mask: vec![1.0; HEADS_PHOTOS],
        truth: (0..HEADS_PHOTOS).map(|photo| Some(photo % classes)).collect(),
    }
}
