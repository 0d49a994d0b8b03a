//! Weights from the Hugging Face hub.

use std::path::PathBuf;

use hf_hub::{
    Repo, RepoType,
    api::sync::{ApiBuilder, ApiRepo},
};

use crate::error::{Error, Result};

/// The usual file name of a model's weights on the hub.
const FILE: &str = "model.safetensors";

/// Path of `owner/name[@revision]`'s weights in the hub's local cache, fetched if they are not there.
///
/// # Errors
/// One sentence that names the model and the local alternative.
pub(super) fn fetch(name: &str) -> Result<PathBuf> {
    let (model, revision) = name.split_once('@').unwrap_or((name, "main"));
    let repo = Repo::with_revision(model.to_owned(), RepoType::Model, revision.to_owned());
    if let Some(path) = hf_hub::Cache::from_env().repo(repo.clone()).get(FILE) {
        return Ok(path);
    }
    let api = ApiBuilder::from_env().with_progress(false).with_retries(1).build();
    let get = |repo: ApiRepo| repo.get(FILE);
    api.and_then(|api| get(api.repo(repo))).map_err(|error| {
        Error::Weights(format!(
            "cannot fetch {name} from the Hugging Face hub ({error}); give the path of a downloaded .safetensors file \
             or \"demo\" as model.weights instead"
        ))
    })
}
