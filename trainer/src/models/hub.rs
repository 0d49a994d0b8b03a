//! Weights from the Hugging Face hub.

use std::path::{Path, PathBuf};

use hf_hub::{
    Repo, RepoType,
    api::sync::{ApiBuilder, ApiRepo},
};
use kenami_domain::run_config::ModelName;
use serde::Deserialize;

use super::{Family, Normalisation};
use crate::error::{Error, Result};

/// The usual file name of a model's weights on the hub.
const FILE: &str = "model.safetensors";
/// timm's description of a model, beside its weights.
const CONFIG: &str = "config.json";

/// Path of `owner/name[@revision]`'s weights in the hub's local cache, fetched if they are not there; their description
/// lies beside them if there is one.
///
/// # Errors
/// One sentence that names the model and the local alternative; or the model is known to be another network.
pub(super) fn fetch(model: ModelName, name: &str) -> Result<PathBuf> {
    refuse_lookalikes(model, name)?;
    let (repository, revision) = name.split_once('@').unwrap_or((name, "main"));
    let repo = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
    if let Some(path) = hf_hub::Cache::from_env().repo(repo.clone()).get(FILE) {
        return Ok(path);
    }
    let api = ApiBuilder::from_env().with_progress(false).with_retries(1).build();
    let get = |repo: ApiRepo| {
        let weights = repo.get(FILE)?;
        // Not every model has one; without it, the family's usual normalisation holds.
        repo.get(CONFIG).ok();
        Ok(weights)
    };
    api.and_then(|api| get(api.repo(repo))).map_err(|error| {
        let others = if model == ModelName::EfficientnetLite0 { "\"demo\" or \"none\"" } else { "\"none\"" };
        Error::Weights(format!(
            "cannot fetch {name} from the Hugging Face hub ({error}); give the path of a downloaded .safetensors or .pth \
             file, {others} as model.weights instead"
        ))
    })
}

/// timm has networks with the same tensors that compute something else: TensorFlow's padding and epsilon.
fn refuse_lookalikes(model: ModelName, name: &str) -> Result<()> {
    let repository = name.rsplit('/').next().unwrap_or(name);
    let (other, right) = match Family::of(model) {
        Family::EfficientNet => ("tf_efficientnet_b", "efficientnet_b"),
        Family::EfficientNetLite => ("efficientnet_lite", "tf_efficientnet_lite"),
        _ => return Ok(()),
    };
    if repository.starts_with(other) {
        return Err(Error::Weights(format!(
            "{name} has the tensors of {model}, but another padding and epsilon; use a model of timm/{right}*"
        )));
    }
    Ok(())
}

/// The normalisation that timm's description beside a file states, if there is one.
pub(super) fn normalisation_beside(weights: &Path) -> Option<Normalisation> {
    #[derive(Deserialize)]
    struct Described {
        pretrained_cfg: Colours,
    }
    #[derive(Deserialize)]
    struct Colours {
        mean: [f64; 3],
        std: [f64; 3],
    }
    let text = std::fs::read(weights.with_file_name(CONFIG)).ok()?;
    let Described { pretrained_cfg } = serde_json::from_slice(&text).ok()?;
    Some(Normalisation::from_shares(pretrained_cfg.mean, pretrained_cfg.std))
}
