//! Checks of a value's range.

use super::ConfigError;

pub(super) fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), ConfigError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be from {low} to {high}")))
}

pub(super) fn at_least(key: &str, value: f64, low: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value >= low {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be {low} or more")))
}

pub(super) fn above_zero(key: &str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be above 0")))
}

pub(super) fn below_one(key: &str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::at(key, format!("is {value}, must be 0 or more and below 1")))
}
