//! `portreeve serve`: runs the gate until it is told to stop.

use std::path::Path;

use super::Failure;
use crate::config::{self, keys};
use crate::control::{self, ServeError};

/// Serves the configuration at `path`. Keys that the state directory lacks are made first.
pub(super) fn run(path: &Path) -> Result<String, Failure> {
    let config = config::load(path)?;
    keys::ensure(&config).map_err(|fault| vec![fault])?;
    // It is watched from the start, empty or not.
    config.secret_store().prepare().map_err(|fault| vec![fault])?;
    control::serve(config).map_err(|error| match error {
        ServeError::Config(faults) => Failure::Configuration(faults),
        ServeError::Boot(error) => Failure::Other(error.to_string()),
        ServeError::Admin(error) => Failure::Other(error.to_string()),
        ServeError::Control(reason) => Failure::Other(reason),
    })?;
    Ok(String::new())
}
