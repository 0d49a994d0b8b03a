use candle_core::{DType, Device, Tensor, Var};
use image::{Rgb, RgbImage};
use kenami_domain::dataset::{Item, Manifest, Schema};

use super::*;
use crate::{explain::pooled_logit, heads::LinearHead};

fn head(attribute: &str) -> ScoredHead {
    ScoredHead {
        attribute: attribute.to_owned(),
        labels: Vec::new(),
        loss: Default::default(),
        truth: Vec::new(),
        logits: Vec::new(),
        temperature: None,
    }
}

#[test]
fn file_names_of_heads_are_harmless_and_differ() {
    let heads = ["ear", "Ear", "a/b", "a_b", "../x"].map(head);
    assert_eq!(stems(&heads), ["ear", "Ear_2", "a_b", "a_b_2", "___x"]);
}

#[test]
fn clearing_takes_reports_and_leaves_what_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["confusion_ear.png", "reliability_ear.csv", "curves.png", "per_class.csv", "notes_confusion.png"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    fs::write(dir.path().join("README.md"), "# The user's own").unwrap();
    fs::create_dir_all(dir.path().join("cam/ear")).unwrap();
    fs::write(dir.path().join("cam/ear/001_a.png"), "x").unwrap();
    clear(dir.path()).unwrap();
    let left = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: BTreeSet<String> = left.collect();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["README.md", "notes_confusion.png"]);
    clear(&dir.path().join("nowhere")).unwrap();
}

/// Two photos, of `a` and of `b`, with a map of two places: the channel of `a` is on at the left, that of `b` at the right.
struct TwoPlaces {
    head: LinearHead,
}

impl Explainer for TwoPlaces {
    fn map(&self, _item: usize) -> Result<(RgbImage, Tensor)> {
        let photo = RgbImage::from_pixel(64, 32, Rgb([90, 90, 90]));
        let map = Tensor::new(&[1f32, 0.0, 0.0, 1.0], &Device::Cpu)?.reshape((1, 1, 2, 2))?;
        Ok((photo, map))
    }

    fn logit(&self, _head: usize, class: usize, map: &Tensor) -> Result<Tensor> {
        pooled_logit(&self.head, class, map)
    }
}

fn item(image: &str) -> Item {
    Item::new(format!("images/{image}"), Split::Test)
}

#[test]
fn overlays_show_what_speaks_for_prediction_and_answer() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Manifest::new("two", Schema { attributes: Vec::new() });
    let dataset = Dataset::new(manifest, vec![item("right.png"), item("wrong.png")], |_| Ok(Vec::new()));
    let labels = ["a", "b"].map(str::to_owned).to_vec();
    // Both are predicted as a; the second is b.
    let scored =
        ScoredHead { labels, truth: vec![Some(0), Some(1)], logits: vec![2.0, 0.0, 1.0, 0.0], ..head("letter") };
    let weight = Var::from_tensor(&Tensor::eye(2, DType::F32, &Device::Cpu).unwrap()).unwrap();
    let bias = Var::zeros(2, DType::F32, &Device::Cpu).unwrap();
    let explainer = TwoPlaces { head: LinearHead { weight, bias } };
    let config = RunConfig::from_toml("[evaluate]\nexplain = 1\n").unwrap();
    let input = ReportInput {
        dataset: &dataset,
        config: &config,
        heads: &[scored],
        curves: &[],
        timing: None,
        explainer: Some(&explainer),
        pseudo: None,
    };
    write(dir.path(), &input).unwrap();
    let files: Vec<_> = fs::read_dir(dir.path().join("cam/letter")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let sheet = image::open(dir.path().join("cam/letter/001_wrong.png")).unwrap().into_rgb8();
    let brightness = |x: u32| sheet.get_pixel(x, 8 + 16).0.iter().map(|c| u32::from(*c)).sum::<u32>();
    // Panels lie 168 pixels apart: the photo, then what speaks for a (left), then what speaks for b (right).
    assert_eq!(brightness(8 + 4), 270);
    assert!(brightness(8 + 168 + 4) > brightness(8 + 168 + 60) + 200);
    assert!(brightness(8 + 336 + 60) > brightness(8 + 336 + 4) + 200);
}
