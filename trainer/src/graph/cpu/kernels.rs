//! Which kernel computes which convolution.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::ops::conv::{ConvKernel, Dense, Depthwise, Geometry, Grouped, Pointwise, Winograd};

/// Kernels by geometry, made once.
#[derive(Default)]
pub(super) struct Kernels {
    made: Mutex<HashMap<Geometry, Arc<dyn ConvKernel>>>,
}

impl Kernels {
    pub fn get(&self, geometry: Geometry) -> Arc<dyn ConvKernel> {
        let mut made = self.made.lock().expect("no panic while kernels are held");
        Arc::clone(made.entry(geometry).or_insert_with(|| choose(geometry)))
    }
}

fn choose(geometry: Geometry) -> Arc<dyn ConvKernel> {
    let spec = geometry.spec;
    if spec.groups == spec.inputs && spec.groups == spec.outputs && spec.groups > 1 {
        Arc::new(Depthwise::new(geometry))
    } else if spec.groups > 1 {
        Arc::new(Grouped::new(geometry))
    } else if spec.kernel == 1 {
        Arc::new(Pointwise::new(geometry))
    } else if Winograd::supports(&geometry) && spec.inputs >= 16 {
        Arc::new(Winograd::new(geometry))
    } else {
        Arc::new(Dense::new(geometry))
    }
}
