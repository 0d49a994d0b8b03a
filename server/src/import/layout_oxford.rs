//! The layout of the Oxford-IIIT Pet Dataset: `images/BREED_N.jpg`, and `annotations/{list,trainval,test}.txt` with the
//! lines `NAME CLASS-ID SPECIES BREED-ID`. `breed_standards.csv`, `names.csv`, `guidelines.md` and
//! `guidelines.LANGUAGE.md` beside them are read if present.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

use kenami_domain::{
    language::Language,
    schema::{AttributeKind, is_valid_key},
    view::photo::ImportedSplit,
};

use super::{
    Candidate, LayoutError, Plan, guidelines_md, name_table, names,
    standards::{self, Standards},
    tree,
};

const BREED: &str = "breed";
const SPECIES: &str = "species";

/// What the annotation lists say, by photo name without its extension.
#[derive(Default)]
struct Lists {
    species: HashMap<String, &'static str>,
    splits: HashMap<String, ImportedSplit>,
    warnings: Vec<String>,
}

pub(super) fn plan(folder: &Path) -> Result<Plan, LayoutError> {
    let images = folder.join("images");
    if !images.is_dir() {
        return Err(LayoutError::Missing(format!("{}: there is no folder `images` in it", folder.display())));
    }
    let lists = read_lists(&folder.join("annotations"))?;
    let standards_file = folder.join("breed_standards.csv");
    let mut standards = if standards_file.is_file() { standards::read(&standards_file)? } else { Standards::default() };
    let listing = tree::list(&images)?;
    let mut plan = Plan { warnings: listing.note().into_iter().collect(), ..Plan::default() };
    plan.warnings.extend(lists.warnings.iter().cloned());
    plan.warnings.append(&mut standards.warnings);
    let mut found = BTreeSet::new();
    for (name, path) in listing.pictures {
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        let mut given = BTreeMap::new();
        let breed = stem.rsplit_once('_').map(|(breed, _)| breed.to_owned()).filter(|breed| is_valid_key(breed));
        if breed.is_none() {
            plan.warnings.push(format!("{name}: no breed can be read from the name"));
        }
        let by_breed = breed.as_ref().and_then(|breed| standards.species.get(breed)).map(String::as_str);
        if let Some(species) = lists.species.get(&stem).copied().or(by_breed) {
            given.insert(SPECIES.to_owned(), species.to_owned());
        }
        given.extend(breed.map(|breed| (BREED.to_owned(), breed)));
        let split = lists.splits.get(&stem).copied();
        found.insert(stem);
        plan.photos.push(Candidate { name, path, given, split });
    }
    let missing = lists.splits.keys().filter(|name| !found.contains(*name)).count();
    if missing > 0 {
        plan.warnings.push(format!("{missing} photos of trainval.txt and test.txt are not in `images`"));
    }
    add_schema(&mut plan, &standards);
    let names_file = folder.join("names.csv");
    if names_file.is_file() {
        plan.warnings.extend(name_table::add(&names_file, &mut plan.attributes)?);
    }
    read_guidelines(folder, &mut plan)?;
    plan.priors = standards.priors;
    Ok(plan)
}

/// The given attributes with the values that occur (breeds in the standards' order first), then the annotated ones.
fn add_schema(plan: &mut Plan, standards: &Standards) {
    let values = |key: &str| -> BTreeSet<String> {
        plan.photos.iter().filter_map(|photo| photo.given.get(key)).cloned().collect()
    };
    let (mut others, species) = (values(BREED), values(SPECIES));
    standards.breeds.iter().for_each(|breed| {
        others.remove(breed);
    });
    let breeds: Vec<String> = standards.breeds.iter().cloned().chain(others).collect();
    for (key, values) in [(BREED, breeds), (SPECIES, species.into_iter().collect())] {
        if !values.is_empty() {
            plan.attributes.push(names::attribute(key, AttributeKind::Given, &values));
        }
    }
    plan.attributes.extend(standards.annotated.iter().cloned());
}

fn read_guidelines(folder: &Path, plan: &mut Plan) -> Result<(), LayoutError> {
    let annotated: Vec<_> =
        plan.attributes.iter().filter(|attribute| attribute.kind == AttributeKind::Annotated).cloned().collect();
    // English, the texts that stand in for those of other languages, first: its order of rules holds.
    for language in Language::ALL {
        let file = match language {
            Language::English => "guidelines.md".to_owned(),
            other => format!("guidelines.{other}.md"),
        };
        let path = folder.join(&file);
        if path.is_file() {
            let text = fs::read_to_string(&path).map_err(|error| LayoutError::read(&path, error))?;
            let (guidelines, warnings) = guidelines_md::read(&file, &text, language.code(), &annotated);
            guidelines_md::add_language(&mut plan.guidelines, guidelines);
            plan.warnings.extend(warnings);
        }
    }
    Ok(())
}

fn read_lists(folder: &Path) -> Result<Lists, LayoutError> {
    let mut lists = Lists::default();
    for (name, species) in lines(&folder.join("list.txt"), &mut lists.warnings)? {
        lists.species.extend(species.map(|species| (name, species)));
    }
    for (file, split) in [("trainval.txt", ImportedSplit::Trainval), ("test.txt", ImportedSplit::Test)] {
        for (name, _) in lines(&folder.join(file), &mut lists.warnings)? {
            lists.splits.insert(name, split);
        }
    }
    Ok(lists)
}

/// The photo names of a list with their species; a list that is not there is empty, and said so.
fn lines(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<(String, Option<&'static str>)>, LayoutError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            warnings.push(format!("there is no annotations/{name}"));
            return Ok(Vec::new());
        }
        Err(error) => return Err(LayoutError::read(path, error)),
    };
    let entries = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        let species = match words.nth(1) {
            Some("1") => Some("cat"),
            Some("2") => Some("dog"),
            _ => None,
        };
        (name, species)
    };
    Ok(entries.map(entry).collect())
}
