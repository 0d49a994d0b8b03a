use super::*;
use crate::schema::{AttributeValue, Texts};

fn attribute(key: &str, kind: AttributeKind, values: &[&str]) -> Attribute {
    let values = values.iter().map(|&key| AttributeValue { key: key.into(), names: Texts::default(), retired: false });
    Attribute { key: key.into(), names: Texts::default(), kind, values: values.collect() }
}

fn schema() -> Schema {
    let breed = attribute("breed", AttributeKind::Given, &["pug", "beagle"]);
    let ear = attribute("ear", AttributeKind::Annotated, &["drop", "semi_erect", "erect"]);
    Schema { attributes: vec![breed, ear] }
}

/// `a` to `h`, one file each, but `b copy.jpg` has the file of `b.jpg`.
fn photos() -> Vec<FreezePhoto> {
    let photo = |name: &str, file: &str| FreezePhoto {
        name: name.into(),
        file_hash: file.into(),
        given: BTreeMap::from([("breed".into(), if file < "e" { "pug" } else { "beagle" }.into())]),
        ..Default::default()
    };
    let mut photos: Vec<_> = "abcdefgh".chars().map(|c| photo(&format!("{c}.jpg"), &c.to_string())).collect();
    photos.push(photo("b copy.jpg", "b"));
    photos
}

fn votes() -> VoteTable {
    let mut votes = VoteTable::new();
    for (file, answers) in [
        ("a", &["drop", "drop", "erect"][..]),
        ("b", &["drop", "erect"]),
        ("c", &["not_visible", "not_visible", "drop"]),
        ("d", &["unsure"]),
        ("e", &["semi_erect"]),
        ("f", &["drop", "unsure"]),
    ] {
        for (annotator, answer) in answers.iter().enumerate() {
            votes.push(file, &annotator.to_string(), "ear", answer);
        }
    }
    votes
}

struct Case {
    photos: Vec<FreezePhoto>,
    votes: VoteTable,
    adjudications: Vec<Adjudication>,
    schema: Schema,
    versions: BTreeMap<String, i32>,
    probabilities: Option<Probabilities>,
    policy: Policy,
}

impl Case {
    fn new() -> Self {
        Self {
            photos: photos(),
            votes: votes(),
            adjudications: Vec::new(),
            schema: schema(),
            versions: BTreeMap::from([("ear".into(), 2)]),
            probabilities: None,
            policy: Policy::AdjudicatedFirst,
        }
    }

    fn freeze(&self) -> Result<Frozen<'_>, FreezeError> {
        freeze(&FreezeInput {
            name: "first",
            project: "pets",
            photos: &self.photos,
            votes: &self.votes,
            adjudications: &self.adjudications,
            policy: self.policy,
            seed: 0,
            schema: &self.schema,
            priors: &[],
            guideline_versions: &self.versions,
            probabilities: self.probabilities.as_ref(),
            stratify_by: None,
        })
    }

    fn decide(&mut self, file: &str, answer: &str) {
        self.adjudications.push(Adjudication {
            file_hash: file.into(),
            attribute: "ear".into(),
            answer: Answer::from(answer),
        });
    }
}

/// (answer, target, mask) of a photo's ear.
fn ear(frozen: &Frozen<'_>, image: &str) -> (Option<String>, Vec<(String, f64)>, u8) {
    let item = frozen.items().map(|(_, item)| item).find(|item| item.image == format!("images/{image}")).unwrap();
    let answer = item.answers.get("ear").map(ToString::to_string);
    (answer, item.targets["ear"].clone().into_iter().collect(), item.masks["ear"])
}

fn expected(answer: Option<&str>, target: &[(&str, f64)], mask: u8) -> (Option<String>, Vec<(String, f64)>, u8) {
    (answer.map(Into::into), target.iter().map(|&(value, p)| (value.to_owned(), p)).collect(), mask)
}

#[test]
fn a_majority_keeps_its_shares_and_ties_and_the_unseen_are_masked() {
    let case = Case::new();
    let frozen = case.freeze().unwrap();
    for (image, answer, target, mask) in [
        ("a.jpg", Some("drop"), &[("drop", 2.0 / 3.0), ("erect", 1.0 / 3.0)][..], 1),
        ("b.jpg", None, &[("drop", 0.5), ("erect", 0.5)], 0),
        ("c.jpg", Some("not_visible"), &[("drop", 1.0)], 0),
        ("d.jpg", Some("unsure"), &[], 0),
        ("e.jpg", Some("semi_erect"), &[("semi_erect", 1.0)], 1),
        ("f.jpg", None, &[("drop", 1.0)], 0),
        ("g.jpg", None, &[], 0),
    ] {
        assert_eq!(ear(&frozen, image), expected(answer, target, mask), "{image}");
    }
    let counts = AttributeCounts { answered: 2, tied: 3, not_visible: 1, unsure: 1, unlabelled: 2, adjudicated: 0 };
    assert_eq!(frozen.counts.attributes["ear"], counts);
    assert_eq!(frozen.counts.splits.values().sum::<usize>(), 9);
    assert_eq!((frozen.manifest.items, frozen.counts.duplicates, frozen.warnings.len()), (9, 1, 0));
    assert_eq!(frozen.manifest.guideline_versions["ear"], 2);
}

#[test]
fn a_duplicate_has_its_files_votes_and_part_and_names_are_safe() {
    let case = Case::new();
    let frozen = case.freeze().unwrap();
    let items: Vec<(usize, Item)> = frozen.items().collect();
    assert!(items.windows(2).all(|pair| pair[0].1.image < pair[1].1.image));
    let find = |image: &str| items.iter().find(|(_, item)| item.image == image).unwrap();
    let (number, copy) = find("images/b_copy.jpg");
    let (_, original) = find("images/b.jpg");
    assert_eq!(case.photos[*number].name, "b copy.jpg");
    assert_eq!((&copy.votes, copy.split, &copy.image_hash), (&original.votes, original.split, &original.image_hash));
    assert_eq!(copy.votes["ear"], BTreeMap::from([("drop".into(), 1), ("erect".into(), 1)]));
}

#[test]
fn a_decision_stands_above_the_votes_and_the_last_one_counts() {
    let mut case = Case::new();
    case.decide("b", "drop");
    case.decide("b", "erect");
    case.decide("a", "not_visible");
    case.decide("g", "drop");
    let frozen = case.freeze().unwrap();
    assert_eq!(ear(&frozen, "b.jpg"), expected(Some("erect"), &[("erect", 1.0)], 1));
    assert_eq!(ear(&frozen, "b_copy.jpg"), expected(Some("erect"), &[("erect", 1.0)], 1));
    let shares = [("drop", 2.0 / 3.0), ("erect", 1.0 / 3.0)];
    assert_eq!(ear(&frozen, "a.jpg"), expected(Some("not_visible"), &shares, 0));
    assert_eq!(ear(&frozen, "g.jpg"), expected(Some("drop"), &[("drop", 1.0)], 1));
    assert_eq!(frozen.counts.attributes["ear"].adjudicated, 4);

    case.policy = Policy::Majority;
    let frozen = case.freeze().unwrap();
    assert_eq!(ear(&frozen, "b.jpg").2, 0);
    assert!(frozen.warnings[0].contains("4 reviewers' decisions are not used"), "{:?}", frozen.warnings);
}

#[test]
fn under_a_model_the_target_is_the_posterior_over_values() {
    let mut case = Case::new();
    case.policy = Policy::DawidSkene;
    let frozen = case.freeze().unwrap();
    for (_, item) in frozen.items() {
        let sum: f64 = item.targets["ear"].values().sum();
        assert!(item.targets["ear"].is_empty() || (sum - 1.0).abs() < 1e-9);
        assert!(!item.targets["ear"].contains_key("not_visible"));
        if item.masks["ear"] == 1 {
            let most = item.targets["ear"].values().copied().fold(0.0, f64::max);
            assert_eq!(item.targets["ear"][item.answers["ear"].key()], most);
        }
    }

    case.policy = Policy::Crowdlab;
    assert_eq!(case.freeze().unwrap_err(), ConsensusError::NeedsProbabilities.into());
    let mut probabilities = Probabilities::new();
    for file in ["a", "b", "e", "f"] {
        for (value, p) in [("drop", 0.2), ("semi_erect", 0.1), ("erect", 0.7)] {
            probabilities.push(file, "ear", value, p);
        }
    }
    case.probabilities = Some(probabilities);
    let frozen = case.freeze().unwrap();
    // The model breaks the tie of b; c is not visible to most and stays so.
    assert_eq!(ear(&frozen, "b.jpg").0.as_deref(), Some("erect"));
    assert_eq!(ear(&frozen, "c.jpg").0.as_deref(), Some("not_visible"));
}

#[test]
fn given_attributes_alone_are_enough() {
    let mut case = Case::new();
    case.votes = VoteTable::new();
    case.schema.attributes.truncate(1);
    let frozen = case.freeze().unwrap();
    let (_, item) = frozen.items().next().unwrap();
    assert_eq!((item.given["breed"].as_str(), item.masks.len(), item.targets.len()), ("pug", 0, 0));
    case.photos.clear();
    assert_eq!(case.freeze().unwrap_err(), FreezeError::NoPhotos);
}

#[test]
fn what_the_schema_does_not_know_is_left_out_and_said() {
    let mut case = Case::new();
    case.votes.push("a", "9", "ear", "folded");
    case.votes.push("a", "9", "tail", "curled");
    case.votes.push("zzz", "9", "ear", "drop");
    case.decide("zzz", "drop");
    case.photos[0].given.insert("owner".into(), "x".into());
    let frozen = case.freeze().unwrap();
    assert_eq!(
        frozen.warnings,
        [
            "owner is no given attribute and was left out (1 photos)",
            "3 votes on unknown photos, attributes or values were left out",
            "1 decisions on unknown photos, attributes or values were left out",
        ]
    );
    let (_, a) = frozen.items().next().unwrap();
    assert_eq!((a.votes["ear"].values().sum::<u32>(), a.given.len()), (3, 1));
}

#[test]
fn duplicates_that_the_official_split_parts_are_reported() {
    let mut case = Case::new();
    for photo in &mut case.photos {
        let is_test = ["b copy.jpg", "h.jpg"].contains(&photo.name.as_str());
        photo.imported = Some(if is_test { ImportedSplit::Test } else { ImportedSplit::Trainval });
    }
    let frozen = case.freeze().unwrap();
    assert_eq!(frozen.counts.splits[&Split::Test], 2);
    assert_eq!(frozen.counts.parted[0].photos, ["b copy.jpg", "b.jpg"]);
    assert!(frozen.warnings[0].contains("b copy.jpg, b.jpg"), "{:?}", frozen.warnings);
}

#[test]
fn the_hash_is_that_of_the_content_in_any_order() {
    let case = Case::new();
    let first = case.freeze().unwrap();
    let items: Vec<Item> = first.items().map(|(_, item)| item).collect();
    assert_eq!(first.manifest.hash, content_hash(&case.schema, case.policy, &[], &items));

    let mut other = Case::new();
    other.photos.reverse();
    let mut rows: Vec<_> = case.votes.rows().collect();
    rows.reverse();
    other.votes = VoteTable::new();
    rows.iter().for_each(|row| other.votes.push(row.item, row.annotator, row.attribute, row.answer));
    let again = other.freeze().unwrap();
    assert_eq!(again.items().map(|(_, item)| item).collect::<Vec<_>>(), items);
    assert_eq!(again.manifest.hash, first.manifest.hash);

    other.votes.push("g", "0", "ear", "drop");
    assert_ne!(other.freeze().unwrap().manifest.hash, first.manifest.hash);
    assert_ne!(content_hash(&case.schema, Policy::Majority, &[], &items), first.manifest.hash);
}

#[test]
fn an_unknown_stratum_is_refused() {
    let case = Case::new();
    let input = FreezeInput {
        name: "x",
        project: "p",
        photos: &case.photos,
        votes: &case.votes,
        adjudications: &[],
        policy: case.policy,
        seed: 0,
        schema: &case.schema,
        priors: &[],
        guideline_versions: &case.versions,
        probabilities: None,
        stratify_by: Some("ear"),
    };
    assert_eq!(freeze(&input).unwrap_err(), FreezeError::NotGiven("ear".into()));
}
