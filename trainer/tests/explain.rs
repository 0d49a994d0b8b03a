//! Grad-CAM and Grad-CAM++ against pytorch-grad-cam (fixtures/explain.py).
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;

use candle_core::{D, Device, Tensor};
use common::uniform;
use kenami_trainer::{
    Result,
    explain::{Method, cam, upsample},
};

const CHANNELS: usize = 6;
const CLASSES: usize = 3;
const CELLS: (usize, usize) = (4, 5);
const PHOTO: (u32, u32) = (17, 12);
const CLASS_OF_IMAGE: [usize; 2] = [2, 0];

fn formula(name: &str, shape: &[usize]) -> Tensor {
    let values: Vec<f32> = uniform(name, shape.iter().product()).into_iter().map(|u| u as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn logit(map: &Tensor, attention: bool) -> Result<Tensor> {
    let map = if attention {
        let mask = map.broadcast_mul(&formula("explain/mask", &[CHANNELS]))?.sum_keepdim(D::Minus1)?;
        let mask = (((mask * -4.0)?.exp()? + 1.0)?).recip()?;
        map.broadcast_mul(&mask)?
    } else {
        map.clone()
    };
    let logits = map.mean((1, 2))?.matmul(&formula("explain/weight", &[CLASSES, CHANNELS]).t()?)?;
    let classes = Tensor::new(&CLASS_OF_IMAGE.map(|k| [k as u32]), &Device::Cpu)?;
    Ok(logits.gather(&classes, 1)?.squeeze(1)?)
}

#[test]
fn maps_are_those_of_pytorch_grad_cam() {
    let expected: BTreeMap<String, Vec<Vec<f32>>> =
        serde_json::from_str(include_str!("fixtures/explain.json")).unwrap();
    let map = (formula("explain/map", &[2, CELLS.0, CELLS.1, CHANNELS]) + 0.2).unwrap().relu().unwrap();
    let mut largest = 0f32;
    for (head, attention) in [("pooled", false), ("attention", true)] {
        for (name, method) in [("grad_cam", Method::GradCam), ("grad_cam_plus_plus", Method::GradCamPlusPlus)] {
            let maps = cam(&map, |map| logit(map, attention), method).unwrap();
            for (map, expected) in maps.iter().zip(&expected[&format!("{head}/{name}")]) {
                let found = upsample(map, CELLS, PHOTO.0, PHOTO.1);
                assert_eq!(found.len(), expected.len());
                for (a, b) in found.iter().zip(expected) {
                    largest = largest.max((a - b).abs());
                }
            }
        }
    }
    // The fixture is rounded to 1e-6.
    assert!(largest < 5e-6, "{largest}");
}
