//! The project of the first start: photos, guidelines, labels that disagree here and there, and pretrained weights, all
//! inside the binary.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::Context as _;
use kenami_domain::{
    answer::Answer,
    csvio::{LabelRow, read_labels},
    roles::Role,
    view::{guidelines::Example, photo::PhotoCard, project::ProjectSettings},
};
use kenami_store::{
    actor::Actor,
    db::Db,
    error::Error,
    guidelines, labels, members, people,
    photos::{self, PhotoQuery},
    projects,
};

use crate::{
    import::{self, Layout, Plan},
    jobs::Progress,
    storage::Storage,
};

/// The demo project's key.
pub const PROJECT: &str = "pets-demo";
/// The accounts whose labels it holds. They have no password.
pub const ANNOTATORS: [&str; 2] = ["annotator-a", "annotator-b"];
const NAME: &str = "Pets (demo)";
const DESCRIPTION: &str = "Five photos of each of 37 breeds from the Oxford-IIIT Pet Dataset (Parkhi, Vedaldi, Zisserman, \
                           Jawahar: Cats and Dogs, CVPR 2012), CC BY-SA 4.0. The copyright of each photo stays with its \
                           owner.";
const LABELS: &str = "labels.csv";
const WEIGHTS: &str = "weights/efficientnet_lite0_f16.safetensors";
/// Example photos a rule.
const EXAMPLES: usize = 3;

#[derive(rust_embed::Embed)]
#[folder = "../demo"]
struct Files;

/// The pretrained weights that come with Kenami, as a safetensors file; none in a build without them.
pub fn weights() -> Option<Cow<'static, [u8]>> {
    Files::get(WEIGHTS).map(|file| file.data)
}

/// Loads the demo project, unless it is there completely; what a stopped start left half done is completed.
///
/// # Errors
/// The database, the object store or the disk fails.
pub async fn ensure(db: &Db, storage: &Storage) -> anyhow::Result<()> {
    let actor = &Actor::System;
    let photos = Files::iter().filter(|path| path.starts_with("images/")).count();
    let rows = Files::get(LABELS).map(|file| read_labels(&*file.data)).transpose()?.map(|read| read.value);
    let rows = rows.unwrap_or_default();
    match projects::progress(actor, db, PROJECT).await {
        Ok(now) if now.photos >= photos as i64 && (rows.is_empty() || now.slots_done > 0) => return Ok(()),
        Ok(_) | Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let folder = tempfile::tempdir().context("no room for the demo's photos")?;
    let path = folder.path().to_owned();
    let mut plan = tokio::task::spawn_blocking(move || unpack(&path)).await??;
    // Photos come before guidelines here: the rules show some of them.
    let texts = std::mem::take(&mut plan.guidelines);
    import::run(actor, db, storage, PROJECT, plan, &Progress::default()).await?;
    let cards = cards(actor, db).await?;
    for (attribute, mut text) in texts {
        for rule in &mut text.rules {
            rule.examples = examples(&rows, &attribute, &rule.value, &cards);
        }
        guidelines::import(actor, db, PROJECT, &attribute, &text).await?;
    }
    for name in ANNOTATORS {
        people::ensure(actor, db, name).await?;
        members::add(actor, db, PROJECT, name, Role::Annotator).await?;
    }
    name_project(actor, db).await?;
    // Labels come last: where there are some, everything is there.
    labels::import(actor, db, PROJECT, &rows).await?;
    tracing::info!("the demo project is loaded: {photos} photos in {PROJECT}");
    Ok(())
}

/// Writes the photos and what describes them into `folder`, and reads them as any other import.
fn unpack(folder: &Path) -> anyhow::Result<Plan> {
    for path in Files::iter().filter(|path| !path.starts_with("weights/")) {
        let target = folder.join(&*path);
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        let file = Files::get(&path).context("a file of the demo is not there")?;
        fs::write(target, file.data)?;
    }
    Ok(import::plan(folder, Some(Layout::OxfordPets))?)
}

async fn cards(actor: &Actor, db: &Db) -> anyhow::Result<BTreeMap<String, PhotoCard>> {
    let mut cards = BTreeMap::new();
    let mut cursor = None;
    loop {
        let query = PhotoQuery { cursor, limit: 200, given: None, name_contains: None };
        let page = photos::list(actor, db, PROJECT, query).await?;
        cards.extend(page.items.into_iter().map(|card| (card.name.clone(), card)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(cards);
        }
    }
}

/// Photos that all annotators who saw them gave this value, of different breeds.
fn examples(rows: &[LabelRow], attribute: &str, value: &str, cards: &BTreeMap<String, PhotoCard>) -> Vec<Example> {
    let mut answers: BTreeMap<&str, BTreeSet<&Answer>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.attribute == attribute) {
        answers.entry(&row.image).or_default().insert(&row.answer);
    }
    let mut breeds = BTreeSet::new();
    let agreed = answers
        .into_iter()
        .filter(|(_, given)| given.len() == 1 && given.iter().all(|answer| answer.value() == Some(value)));
    agreed
        .filter_map(|(image, _)| cards.get(image))
        .filter(|card| breeds.insert(card.given.get("breed").cloned()))
        .take(EXAMPLES)
        .map(|card| Example { photo: card.clone(), caption: String::new() })
        .collect()
}

/// Gives the project its name, unless somebody has given it another.
async fn name_project(actor: &Actor, db: &Db) -> anyhow::Result<()> {
    let settings = projects::settings(actor, db, PROJECT).await?;
    if settings.name == PROJECT {
        let named = ProjectSettings { name: NAME.to_owned(), description: DESCRIPTION.to_owned(), ..settings };
        projects::update(actor, db, PROJECT, named).await?;
    }
    Ok(())
}
