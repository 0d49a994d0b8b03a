//! Where a trained network runs.

use candle_core::Device;
use kenami_domain::run_config::{Compute, RunConfig};

use crate::error::{Error, Result};

/// The device that the configuration asks for. `auto` is the first graphics processor that this build can use and that is
/// there, else the processor, on which networks run on operations of their own.
///
/// # Errors
/// It names a graphics processor that this build cannot use, or that is not there.
pub fn of(config: &RunConfig) -> Result<Device> {
    check(config)?;
    let named = |name: Compute| match name {
        Compute::Cuda => Device::new_cuda(0),
        Compute::Metal => Device::new_metal(0),
        Compute::Auto | Compute::Cpu => Ok(Device::Cpu),
    };
    match config.model.device {
        Compute::Auto => Ok([Compute::Cuda, Compute::Metal]
            .into_iter()
            .filter(|name| is_built_in(*name))
            .find_map(|name| named(name).ok())
            .unwrap_or(Device::Cpu)),
        name => named(name).map_err(|error| Error::Network(format!("model.device = \"{name}\": {error}"))),
    }
}

/// Whether this build can use the device that the configuration asks for.
///
/// # Errors
/// It cannot; what it can.
pub fn check(config: &RunConfig) -> Result<()> {
    let name = config.model.device;
    if is_built_in(name) {
        return Ok(());
    }
    Err(Error::Unavailable {
        what: format!("model.device = \"{name}\""),
        available: format!("\"auto\", \"cpu\"; a build with cargo's feature {name} has it"),
    })
}

/// Whether the build has what the device needs.
fn is_built_in(name: Compute) -> bool {
    match name {
        Compute::Auto | Compute::Cpu => true,
        Compute::Cuda => cfg!(feature = "cuda"),
        Compute::Metal => cfg!(feature = "metal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_lacks_is_said_with_the_way_to_it() {
        let config = |device| {
            let mut config = RunConfig::default();
            config.model.device = device;
            config
        };
        assert!(of(&config(Compute::Cpu)).unwrap().is_cpu());
        for device in [Compute::Cuda, Compute::Metal].into_iter().filter(|device| !is_built_in(*device)) {
            let error = of(&config(device)).unwrap_err().to_string();
            assert!(error.contains(&format!("model.device = \"{device}\"")) && error.contains("feature"), "{error}");
        }
    }
}
