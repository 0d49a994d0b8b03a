use kenami_domain::run_config::ModelConfig;
use safetensors::tensor::TensorView;

use super::*;

const LITE0: ModelName = ModelName::EfficientnetLite0;

/// `weights` as a file whose tensors `rename` names.
fn file(weights: &Weights, rename: impl Fn(&str) -> String) -> Vec<u8> {
    let tensors = &weights.tensors;
    let view =
        |t: &'_ Stored| TensorView::new(t.dtype, t.shape.clone(), &t.bytes).map(|view| view.data().to_vec()).unwrap();
    let owned: Vec<_> = tensors.iter().map(|(name, t)| (rename(name), t.dtype, t.shape.clone(), view(t))).collect();
    let views =
        owned.iter().map(|(name, dtype, shape, raw)| (name, TensorView::new(*dtype, shape.clone(), raw).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn random_weights_follow_the_seed() {
    let (a, b, c) = (Weights::random(LITE0, 1), Weights::random(LITE0, 1), Weights::random(LITE0, 2));
    assert_eq!(a.as_ref().unwrap().hash(), b.unwrap().hash());
    assert_ne!(a.as_ref().unwrap().hash(), c.unwrap().hash());
    let stem = a.unwrap().values("_conv_stem.weight").unwrap();
    let variance = stem.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / stem.len() as f64;
    // He: 2 / (32 * 9).
    assert!((variance / (2.0 / 288.0) - 1.0).abs() < 0.2, "{variance}");
}

#[test]
fn timms_names_and_a_runs_prefix_are_read() {
    let weights = Weights::random(LITE0, 3).unwrap();
    let names = KeyLayout::Timm.names(&Variant::LITE0);
    let timm = Weights::from_bytes(LITE0, &file(&weights, |name| names[name].clone())).unwrap();
    assert_eq!(timm.values("_blocks.5._bn1.weight").unwrap(), weights.values("_blocks.5._bn1.weight").unwrap());
    assert_eq!(timm.normalisation, (127.5, 127.5));
    let run = Weights::from_bytes(LITE0, &file(&weights, |name| format!("{TRUNK_PREFIX}{name}"))).unwrap();
    assert_eq!(run.hash(), weights.hash());
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    assert!(message(Weights::from_bytes(LITE0, b"hello")).contains("not a safetensors file"));
    let mut weights = Weights::random(LITE0, 3).unwrap();
    assert!(message(Weights::from_bytes(LITE0, &file(&weights, |name| format!("x{name}")))).contains("not those of"));
    weights.tensors.remove("_conv_head.weight");
    assert!(message(Weights::from_bytes(LITE0, &file(&weights, str::to_owned))).contains("_conv_head.weight"));
    let stored = Stored { dtype: Dtype::F32, shape: vec![2], bytes: vec![0; 8] };
    weights.tensors.insert("_conv_head.weight".into(), stored);
    let built = crate::models::build_trunk(LITE0, &weights).err().unwrap().to_string();
    assert!(built.contains("_conv_head.weight has shape [2]"), "{built}");
}

#[test]
fn weights_come_from_where_the_configuration_says() {
    let dir = tempfile::tempdir().unwrap();
    let weights = Weights::random(LITE0, 4).unwrap();
    let bytes = file(&weights, str::to_owned);
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
}

#[test]
fn precisions_are_read_and_others_refused() {
    let mut weights = Weights::random(LITE0, 3).unwrap();
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
