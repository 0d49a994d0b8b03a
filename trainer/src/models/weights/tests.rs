use safetensors::tensor::TensorView;

use super::*;

const LITE0: ModelName = ModelName::EfficientnetLite0;

/// `weights` as a safetensors file whose tensors `rename` names.
fn file(weights: &Weights, rename: impl Fn(&str) -> String) -> Vec<u8> {
    let views = weights.tensors.iter().map(|(name, stored)| {
        (rename(name), TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Weights of which every tensor has a value of its own, made quicker than random ones.
fn plain(name: ModelName) -> Weights {
    let tensors = parameters(name).into_iter().enumerate().map(|(i, parameter)| {
        let bytes = (i as f32).to_le_bytes().repeat(parameter.shape.iter().product());
        (parameter.name, Stored { dtype: Dtype::F32, shape: parameter.shape, bytes })
    });
    let normalisation = if name == LITE0 { Normalisation::LITE_PYTORCH } else { Normalisation::IMAGENET };
    Weights { tensors: tensors.collect(), normalisation }
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn random_weights_follow_the_seed() {
    let (a, b, c) = (Weights::random(LITE0, 1), Weights::random(LITE0, 1), Weights::random(LITE0, 2));
    assert_eq!(a.hash(), b.hash());
    assert_ne!(a.hash(), c.hash());
    let stem = a.values("conv_stem.weight").unwrap();
    let variance = stem.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / stem.len() as f64;
    // He: 2 / (32 * 9).
    assert!((variance / (2.0 / 288.0) - 1.0).abs() < 0.2, "{variance}");
}

#[test]
fn every_layout_and_prefix_of_every_family_is_read() {
    for name in
        [LITE0, ModelName::EfficientnetB0, ModelName::ConvnextTiny, ModelName::Resnet18, ModelName::Dinov2Vits14]
    {
        let weights = plain(name);
        for layout in KeyLayout::of(name) {
            let foreign = file(&weights, |native| layout.foreign(name, native));
            let read = Weights::from_bytes(name, &foreign).unwrap();
            let with = |normalisation| Weights { normalisation, ..weights.clone() }.hash();
            assert_eq!(read.normalisation, layout.normalisation(name));
            assert_eq!(read.hash(), with(layout.normalisation(name)), "{name} {layout:?}");
            let wrapped = file(&weights, |native| format!("module.{}", layout.foreign(name, native)));
            assert_eq!(Weights::from_bytes(name, &wrapped).unwrap().hash(), read.hash());
        }
    }
    let weights = plain(LITE0);
    let run = Weights::from_bytes(
        LITE0,
        &file(&weights, |native| format!("{TRUNK_PREFIX}{}", KeyLayout::LitePytorch.foreign(LITE0, native))),
    );
    assert_eq!(run.unwrap().hash(), weights.hash());
}

#[test]
fn linear_maps_and_flat_scales_are_taken_for_convolutions() {
    let mut weights = plain(ModelName::ConvnextTiny);
    let hash = weights.hash();
    for (name, stored) in &mut weights.tensors {
        if name.contains("mlp") && name.ends_with("weight") {
            stored.shape.truncate(2);
        } else if name.ends_with("gamma") {
            stored.shape.extend([1, 1]);
        }
    }
    let read = Weights::from_bytes(ModelName::ConvnextTiny, &file(&weights, str::to_owned)).unwrap();
    assert_eq!(read.shape("stages.0.blocks.0.mlp.fc1.weight").unwrap(), [384, 96, 1, 1]);
    assert_eq!(read.hash(), hash);
}

/// `weights` with one more tensor.
fn with(weights: &Weights, name: &str, shape: &[usize]) -> Vec<u8> {
    let mut weights = weights.clone();
    let stored =
        Stored { dtype: Dtype::F32, shape: shape.to_vec(), bytes: vec![0; 4 * shape.iter().product::<usize>()] };
    weights.tensors.insert(name.to_owned(), stored);
    file(&weights, str::to_owned)
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let name = ModelName::Resnet18;
    assert!(message(Weights::from_bytes(name, b"hello")).contains("not a safetensors file"));
    let weights = plain(name);
    assert!(
        message(Weights::from_bytes(LITE0, &file(&weights, str::to_owned))).contains("not those of efficientnet_lite0")
    );
    assert!(Weights::from_bytes(name, &with(&weights, "fc.weight", &[10, 512])).is_ok());
    assert!(Weights::from_bytes(name, &with(&weights, "layer1.0.bn1.num_batches_tracked", &[])).is_ok());
    let deeper = message(Weights::from_bytes(name, &with(&weights, "layer1.2.conv1.weight", &[64, 64, 3, 3])));
    assert!(deeper.contains("layer1.2.conv1.weight, which resnet18 does not have"), "{deeper}");
    let other = message(Weights::from_bytes(name, &with(&weights, "layer4.1.conv2.weight", &[2])));
    assert!(other.contains("layer4.1.conv2.weight has shape [2], resnet18 needs [512, 512, 3, 3]"), "{other}");
    let mut weights = weights;
    weights.tensors.remove("layer2.0.downsample.1.running_var");
    let missing = message(Weights::from_bytes(name, &file(&weights, str::to_owned)));
    assert!(missing.contains("no tensor layer2.0.downsample.1.running_var"), "{missing}");
}

#[test]
fn weights_come_from_where_the_configuration_says() {
    let dir = tempfile::tempdir().unwrap();
    let weights = Weights::random(LITE0, 4);
    let bytes = file(&weights, |native| KeyLayout::LitePytorch.foreign(LITE0, native));
    let path = dir.path().join("some.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    let config = |weights: &str| ModelConfig { weights: weights.to_owned(), ..ModelConfig::default() };
    let provided = WeightsInput::Bytes(bytes.into());
    for name in ["demo", "run:1"] {
        assert_eq!(load(&config(name), Some(&provided), 0).unwrap().hash(), weights.hash());
        assert!(message(load(&config(name), None, 0)).contains("not at hand"));
    }
    let from_path = load(&config(path.to_str().unwrap()), None, 0).unwrap();
    assert_eq!(from_path.hash(), weights.hash());
    assert_eq!(load(&config("none"), None, 4).unwrap().hash(), weights.hash());
    assert!(message(load(&config("/no/such/file"), None, 0)).contains("/no/such/file"));
    let resnet = ModelConfig { name: ModelName::Resnet34, ..config("demo") };
    assert!(message(load(&resnet, Some(&provided), 0)).contains("those of efficientnet_lite0; resnet34 needs"));
    let tensorflow = ModelConfig { name: ModelName::EfficientnetB0, ..config("timm/tf_efficientnet_b0.ns_jft_in1k") };
    assert!(message(load(&tensorflow, None, 0)).contains("another padding and epsilon"));
}

#[test]
fn timms_description_beside_a_file_gives_its_normalisation() {
    let dir = tempfile::tempdir().unwrap();
    let name = ModelName::Resnet18;
    let path = dir.path().join("model.safetensors");
    std::fs::write(&path, file(&plain(name), str::to_owned)).unwrap();
    let read = || Weights::read(name, &WeightsInput::Path(path.clone())).unwrap().normalisation;
    assert_eq!(read(), Normalisation::IMAGENET);
    let config = r#"{"architecture": "resnet18", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    assert_eq!(read(), Normalisation::HALF);
}

#[test]
fn precisions_are_read_and_others_refused() {
    let mut weights = Weights::random(LITE0, 3);
    let mut put = |dtype, bytes: Vec<u8>, shape| {
        weights.tensors.insert("x".into(), Stored { dtype, shape: vec![shape], bytes });
        weights.values("x")
    };
    let half = [0.5, -2.0].map(f16::from_f32).iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(put(Dtype::F16, half, 2).unwrap(), [0.5, -2.0]);
    let brain = [0.5, -2.0].map(bf16::from_f32).iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(put(Dtype::BF16, brain, 2).unwrap(), [0.5, -2.0]);
    assert!(message(put(Dtype::I64, vec![0; 8], 1)).contains("I64"));
}
