//! The file that describes an experiment.

use std::ops::Range;

use kenami_domain::run_config::{ConfigError, RunConfig};
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Seeds where the file names none: five pairs are the least that a paired comparison is worth.
const SEEDS: [u64; 5] = [0, 1, 2, 3, 4];

/// Variants of one configuration, each to be trained with each seed.
///
/// ```toml
/// title = "SIMULATED"             # optional; stands over the tables
/// seeds = [0, 1, 2, 3, 4]         # the default
/// [base]                          # a run's configuration, without a seed
/// epochs = 5
/// [[variant]]                     # the first one is what the others are compared with
/// name = "baseline"
/// [variant.heads.breed]           # keys that override the base's; tables are merged key by key
/// [[variant]]
/// name = "class-level"
/// [variant.heads]
/// breed = {}
/// ear = { targets = "class" }
/// [[variant]]                     # a point of the learning curve: not compared with the others
/// name = "half"
/// labels = 0.5                    # the share of each annotated attribute's training labels
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What stands over the tables.
    pub title: Option<String>,
    /// Each variant is trained with each.
    pub seeds: Vec<u64>,
    /// In the order of the file; the first is the baseline of comparisons.
    pub variants: Vec<Variant>,
}

/// One configuration of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Unique; the name of its folder.
    pub name: String,
    /// The base's configuration with the variant's keys.
    pub config: RunConfig,
    /// The share of the training labels that it gets, for the learning curve; all of them, and compared with the other
    /// variants, if none.
    pub labels: Option<f64>,
}

/// What stands wrong at which bytes of the text.
struct Fault {
    at: Range<usize>,
    key: Option<String>,
    message: String,
}

impl Plan {
    /// Reads an experiment's TOML text.
    ///
    /// # Errors
    /// Broken TOML, an unknown key, a value of the wrong type or out of range, with line and column.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        parse(text).map_err(|fault| {
            let (line, column) = position(text, fault.at.start);
            ConfigError { key: fault.key, line: Some(line), column: Some(column), message: fault.message }
        })
    }
}

fn parse(text: &str) -> Result<Plan, Fault> {
    let root = DeTable::parse(text).map_err(|error| broken(&error, 0..0))?.into_inner();
    let (mut title, mut seeds, mut base, mut tables) = (None, SEEDS.to_vec(), DeTable::new(), Vec::new());
    for (key, value) in root {
        let at = value.span();
        match (key.get_ref().as_ref(), value.into_inner()) {
            ("title", DeValue::String(text)) => title = Some(text.into_owned()),
            ("title", _) => return Err(fault(at, "title", "must be a text")),
            ("seeds", value) => seeds = read_seeds(value, at)?,
            ("base", DeValue::Table(table)) => base = table,
            ("base", _) => return Err(fault(at, "base", "must be a table: a run's configuration")),
            ("variant", DeValue::Array(array)) => tables = array.into_iter().collect(),
            ("variant", _) => return Err(fault(at, "variant", "must be written as [[variant]], once for each")),
            (other, _) => {
                return Err(fault(key.span(), other, "is not a key of an experiment: title, seeds, base, variant"));
            }
        }
    }
    no_seed(&base)?;
    // A mistake in the base is the base's, not the first variant's.
    configuration(base.clone(), 0..0)?;
    let mut variants: Vec<Variant> = Vec::new();
    for table in tables {
        let at = table.span();
        let DeValue::Table(mut table) = table.into_inner() else {
            return Err(fault(at, "variant", "must be written as [[variant]], once for each"));
        };
        let name = read_name(&mut table, &at)?;
        if let Some(twice) = variants.iter().find(|variant| variant.name == name.get_ref().as_str()) {
            return Err(fault(name.span(), "name", &format!("is used twice: {}", twice.name)));
        }
        no_seed(&table)?;
        let labels = read_labels(&mut table)?;
        let mut merged = base.clone();
        merge(&mut merged, table);
        variants.push(Variant { name: name.into_inner(), config: configuration(merged, at)?, labels });
    }
    if variants.is_empty() {
        return Err(fault(0..0, "variant", "is missing: an experiment needs at least one [[variant]]"));
    }
    if variants.iter().all(|variant| variant.labels.is_some()) {
        return Err(fault(
            0..0,
            "labels",
            "is given for every variant: one at least must have all labels, to compare with",
        ));
    }
    Ok(Plan { title, seeds, variants })
}

fn read_seeds(value: DeValue<'_>, at: Range<usize>) -> Result<Vec<u64>, Fault> {
    let DeValue::Array(array) = value else { return Err(fault(at, "seeds", "must be a list of whole numbers")) };
    let mut seeds = Vec::new();
    for value in array {
        let at = value.span();
        let seed = value.get_ref().as_integer();
        let seed = seed.and_then(|seed| u64::from_str_radix(seed.as_str(), seed.radix()).ok());
        let Some(seed) = seed else { return Err(fault(at, "seeds", "must be whole numbers of 0 or more")) };
        if seeds.contains(&seed) {
            return Err(fault(at, "seeds", &format!("names {seed} twice")));
        }
        seeds.push(seed);
    }
    if seeds.is_empty() {
        return Err(fault(at, "seeds", "must name at least one seed"));
    }
    Ok(seeds)
}

/// The variant's name, which is a folder's name too.
fn read_name(table: &mut DeTable<'_>, at: &Range<usize>) -> Result<Spanned<String>, Fault> {
    let Some(value) = table.remove("name") else {
        return Err(fault(at.clone(), "variant", "has no name"));
    };
    let at = value.span();
    let fits = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'))
            && name.len() <= 80
    };
    match value.into_inner() {
        DeValue::String(name) if fits(&name) => Ok(Spanned::new(at, name.into_owned())),
        _ => Err(fault(at, "name", "must be a text of letters, digits, and - _ . + between them: it names a folder")),
    }
}

/// The share of labels that a variant gets.
fn read_labels(table: &mut DeTable<'_>) -> Result<Option<f64>, Fault> {
    let Some(value) = table.remove("labels") else { return Ok(None) };
    let at = value.span();
    let share = match value.get_ref() {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => integer.as_str().parse().ok(),
        _ => None,
    };
    match share.filter(|share: &f64| *share > 0.0 && *share <= 1.0) {
        Some(share) => Ok(Some(share)),
        None => Err(fault(at, "labels", "must be a share above 0 and up to 1")),
    }
}

/// Seeds are the experiment's, not a configuration's.
fn no_seed(table: &DeTable<'_>) -> Result<(), Fault> {
    match table.get_key_value("seed") {
        Some((key, _)) => Err(fault(key.span(), "seed", "is set by the experiment's seeds")),
        None => Ok(()),
    }
}

/// `over`'s keys in place of the same ones of `base`; tables key by key.
fn merge<'a>(base: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, value) in over {
        if let DeValue::Table(table) = value.get_ref()
            && let Some(DeValue::Table(below)) = base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut)
        {
            merge(below, table.clone());
            continue;
        }
        // The key's place in the text is the variant's from now on.
        base.remove(key.get_ref().as_ref());
        base.insert(key, value);
    }
}

/// Reads a configuration; what has no place of its own is said `at` this one.
fn configuration(table: DeTable<'_>, at: Range<usize>) -> Result<RunConfig, Fault> {
    let deserializer = toml::Deserializer::from(Spanned::new(at.clone(), table.clone()));
    let config = RunConfig::deserialize(deserializer).map_err(|error| broken(&error, at.clone()))?;
    config.validate().map_err(|error| {
        let found = error.key.as_deref().and_then(|key| place(&table, key));
        Fault { at: found.unwrap_or(at), key: error.key, message: error.message }
    })?;
    Ok(config)
}

/// Where a dotted key is written.
fn place(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let (mut table, mut found) = (table, None);
    for part in key.split('.') {
        let Some((name, value)) = table.get_key_value(part) else { break };
        found = Some(name.span());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

fn broken(error: &toml::de::Error, at: Range<usize>) -> Fault {
    Fault { at: error.span().unwrap_or(at), key: None, message: error.message().to_owned() }
}

fn fault(at: Range<usize>, key: &str, message: &str) -> Fault {
    Fault { at, key: Some(key.to_owned()), message: message.to_owned() }
}

/// Line and column (in characters), both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use kenami_domain::run_config::Targets;

    use super::*;

    const STUDY: &str = r#"title = "SIMULATED"
seeds = [0, 7]

[base]
epochs = 3
[base.optimizer]
lr = 0.1
momentum = 0.5

[[variant]]
name = "baseline"
[variant.heads.breed]

[[variant]]
name = "class-level"
[variant.heads]
breed = {}
ear = { targets = "class" }
[variant.optimizer]
lr = 0.2
"#;

    #[test]
    fn variants_override_the_base_key_by_key() {
        let plan = Plan::from_toml(STUDY).unwrap();
        assert_eq!((plan.title.as_deref(), plan.seeds), (Some("SIMULATED"), vec![0, 7]));
        let [baseline, class] = &plan.variants[..] else { panic!("{:?}", plan.variants) };
        assert_eq!((baseline.name.as_str(), class.name.as_str()), ("baseline", "class-level"));
        assert_eq!(baseline.config.heads.keys().collect::<Vec<_>>(), ["breed"]);
        assert_eq!(class.config.heads["ear"].targets, Targets::Class);
        for variant in &plan.variants {
            assert_eq!((variant.config.epochs, variant.config.optimizer.momentum), (3, 0.5));
        }
        assert_eq!((baseline.config.optimizer.lr, class.config.optimizer.lr), (0.1, 0.2));
        let shares = Plan::from_toml("[[variant]]\nname = \"half\"\nlabels = 0.5\n[[variant]]\nname = \"all\"");
        let labels: Vec<_> = shares.unwrap().variants.iter().map(|variant| variant.labels).collect();
        assert_eq!(labels, [Some(0.5), None]);
        assert!(
            Plan::from_toml("[[variant]]\nname = \"half\"\nlabels = 1").unwrap_err().to_string().contains("all labels")
        );
        let plan = Plan::from_toml("[[variant]]\nname = \"only\"").unwrap();
        assert_eq!((plan.title, plan.seeds.len()), (None, 5));
        assert_eq!(plan.variants[0].config, RunConfig::default());
    }

    #[test]
    fn mistakes_are_named_by_line() {
        for (from, to, line, word) in [
            ("epochs = 3", "epochs = 0", 5, "epochs"),
            ("epochs = 3", "epoch = 3", 5, "epoch"),
            ("epochs = 3", "epochs = 3\nseed = 3", 6, "seed"),
            ("epochs = 3", "epochs =", 5, ""),
            ("lr = 0.2", "lr = -0.2", 20, "optimizer.lr"),
            ("lr = 0.2", "lr = true", 20, "boolean"),
            ("lr = 0.2", "lrate = 0.2", 20, "lrate"),
            ("targets = \"class\"", "targets = \"clas\"", 18, "clas"),
            ("title", "titel", 1, "titel"),
            ("[0, 7]", "[0, -7]", 2, "seeds"),
            ("[0, 7]", "[7, 7]", 2, "twice"),
            ("[0, 7]", "[]", 2, "seeds"),
            ("\"class-level\"", "\"baseline\"", 15, "twice"),
            ("\"class-level\"", "\"../x\"", 15, "name"),
            ("name = \"class-level\"", "", 14, "name"),
            ("name = \"class-level\"", "name = \"c\"\nlabels = 1.5", 16, "labels"),
            ("name = \"class-level\"", "name = \"c\"\nlabels = \"half\"", 16, "labels"),
        ] {
            let text = STUDY.replacen(from, to, 1);
            let error = Plan::from_toml(&text).unwrap_err();
            assert_eq!(error.line, Some(line), "{to}: {error}");
            assert!(error.to_string().contains(word), "{to}: {error}");
        }
        assert!(Plan::from_toml("").unwrap_err().to_string().contains("[[variant]]"));
        assert!(Plan::from_toml("variant = 3").unwrap_err().to_string().contains("[[variant]]"));
    }
}
