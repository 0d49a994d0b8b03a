//! Which weights a page may name: the demo's, a run's of the project, or a known model of the hub; never a path.

use std::{borrow::Cow, sync::Arc};

use anyhow::{Context as _, bail};
use kenami_domain::run_config::{ALLOWED_HUB_MODELS, ConfigError, RunConfig, WeightsKind, weights_kind};
use kenami_store::{actor::Actor, runs};
use kenami_trainer::WeightsInput;

use crate::{cli::Context, demo};

/// Checks a configuration that came by the network: its ranges, what this version can do, and that neither its weights nor
/// its unlabelled photos would make the server read files of its own.
///
/// # Errors
/// What does not fit, for the person who wrote it.
pub fn check_page_config(config: &RunConfig) -> Result<(), kenami_trainer::Error> {
    kenami_trainer::check_available(config)?;
    for (key, folder) in [("pseudo.images", &config.pseudo.images), ("auxiliary.dataset", &config.auxiliary.dataset)] {
        if !folder.is_empty() {
            let instead =
                if key == "pseudo.images" { "; pseudo.unlabelled takes the dataset's own photos" } else { "" };
            let message = format!("a page cannot name a folder; it is for `kenami train`{instead}");
            return Err(ConfigError { key: Some(key.into()), line: None, column: None, message }.into());
        }
    }
    let refused =
        |message: String| ConfigError { key: Some("model.weights".into()), line: None, column: None, message };
    match weights_kind(&config.model.weights) {
        WeightsKind::None | WeightsKind::Demo => Ok(()),
        WeightsKind::Run(id) if id.parse::<i64>().is_ok() => Ok(()),
        WeightsKind::Run(id) => Err(refused(format!("`run:{id}` does not name a run by its number")).into()),
        WeightsKind::Hub(name) if ALLOWED_HUB_MODELS.contains(&name) => Ok(()),
        WeightsKind::Hub(name) => {
            let known = ALLOWED_HUB_MODELS.join(", ");
            Err(refused(format!("the hub's model `{name}` is not on the list of this server: {known}")).into())
        }
        WeightsKind::Path(_) => Err(refused(
            "a page cannot name a file; choose \"demo\", \"none\", \"run:NUMBER\" or a model of the hub; files are for \
             `kenami train`"
                .to_owned(),
        )
        .into()),
    }
}

/// What stands behind `demo` and `run:ID` in the configuration of a run of `project`.
pub(super) async fn weights(context: &Context, project: &str, text: &str) -> anyhow::Result<Option<WeightsInput>> {
    match weights_kind(text) {
        WeightsKind::Demo => Ok(Some(demo_weights()?)),
        WeightsKind::Run(id) => {
            let id: i64 = id.parse().with_context(|| format!("`run:{id}` does not name a run by its number"))?;
            let artifacts = runs::artifacts(&Actor::System, &context.db, project, id).await?;
            let artifacts = artifacts.with_context(|| format!("run {id} has no weights yet"))?;
            let bytes = context.storage.get_artifact_bytes(&format!("{artifacts}/model.safetensors")).await?;
            Ok(Some(WeightsInput::Bytes(Arc::from(&*bytes))))
        }
        WeightsKind::None | WeightsKind::Hub(_) | WeightsKind::Path(_) => Ok(None),
    }
}

/// The weights that come with Kenami.
pub(crate) fn demo_weights() -> anyhow::Result<WeightsInput> {
    match demo::weights() {
        Some(Cow::Borrowed(bytes)) => Ok(WeightsInput::Bytes(Arc::from(bytes))),
        Some(Cow::Owned(bytes)) => Ok(WeightsInput::Bytes(Arc::from(bytes))),
        None => bail!("this kenami was built without the demo's weights; name others in model.weights"),
    }
}
