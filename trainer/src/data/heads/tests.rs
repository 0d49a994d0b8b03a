use approx::assert_relative_eq;
use kenami_domain::{
    dataset::{Manifest, Schema},
    schema::{AttributeValue, Prior as TableRow, Texts},
};

use super::*;

fn attribute(key: &str, kind: AttributeKind, values: &[&str]) -> Attribute {
    let value = |key: &&str| AttributeValue { key: (*key).to_owned(), names: Texts::default(), retired: false };
    Attribute { key: key.to_owned(), names: Texts::default(), kind, values: values.iter().map(value).collect() }
}

fn shares(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(key, share)| ((*key).to_owned(), *share)).collect()
}

/// One photo: split, breed, consensus, vote shares, mask, votes.
type Photo<'a> = (Split, &'a str, Option<&'a str>, &'a [(&'a str, f64)], u8, &'a [(&'a str, u32)]);

fn dataset(photos: &[Photo<'_>]) -> Dataset {
    let item = |(i, (split, breed, answer, targets, mask, votes)): (usize, &Photo<'_>)| Item {
        given: BTreeMap::from([("breed".to_owned(), (*breed).to_owned())]),
        answers: answer.map(|answer| ("ear".to_owned(), Answer::from(answer))).into_iter().collect(),
        targets: BTreeMap::from([("ear".to_owned(), shares(targets))]),
        masks: BTreeMap::from([("ear".to_owned(), *mask)]),
        votes: BTreeMap::from([("ear".to_owned(), votes.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect())]),
        ..Item::new(format!("images/{i}.jpg"), *split)
    };
    let row = |breed: &str, distribution: &[(&str, f64)]| TableRow {
        given_attribute: "breed".into(),
        given_value: breed.into(),
        attribute: "ear".into(),
        distribution: shares(distribution),
    };
    let manifest = Manifest {
        priors: vec![row("pug", &[("drop", 0.9), ("erect", 0.1)]), row("husky", &[("erect", 1.0)])],
        items: photos.len(),
        ..Manifest::new(
            "d",
            Schema {
                attributes: vec![
                    attribute("breed", AttributeKind::Given, &["pug", "husky"]),
                    attribute("ear", AttributeKind::Annotated, &["drop", "erect"]),
                ],
            },
        )
    };
    Dataset::new(manifest, photos.iter().enumerate().map(item).collect(), |_| Ok(Vec::new()))
}

fn photos() -> Dataset {
    dataset(&[
        (
            Split::Train,
            "pug",
            Some("drop"),
            &[("drop", 2.0 / 3.0), ("erect", 1.0 / 3.0)],
            1,
            &[("drop", 2), ("erect", 1)],
        ),
        (Split::Train, "husky", Some("erect"), &[("erect", 1.0)], 1, &[("erect", 1), ("unsure", 1)]),
        (Split::Train, "pug", Some("not_visible"), &[], 0, &[("not_visible", 2)]),
        (Split::Train, "pug", None, &[("drop", 0.5), ("erect", 0.5)], 0, &[("drop", 1), ("erect", 1)]),
        (Split::Test, "husky", None, &[], 0, &[]),
    ])
}

fn heads(dataset: &Dataset, text: &str) -> Result<Vec<HeadData>> {
    head_data(dataset, &RunConfig::from_toml(text).unwrap(), &mut |_| {})
}

/// The ear head's targets without smoothing, per photo.
fn ear(text: &str) -> Vec<Option<[f32; 2]>> {
    let heads = heads(&photos(), &format!("[heads.ear]\nsmoothing = 0\n{text}")).unwrap();
    let head = &heads[0];
    let rows = head.targets.chunks(2).zip(&head.mask);
    rows.map(|(target, mask)| (*mask > 0.0).then(|| [target[0], target[1]])).collect()
}

fn assert_rows(found: &[Option<[f32; 2]>], expected: &[Option<[f32; 2]>]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.is_some(), expected.is_some(), "{found:?} {expected:?}");
        if let (Some(found), Some(expected)) = (found, expected) {
            found.iter().zip(expected).for_each(|(a, b)| assert_relative_eq!(*a, *b, epsilon = 1e-6));
        }
    }
}

#[test]
fn instance_targets_are_vote_shares_and_doubt_is_masked() {
    assert_rows(&ear(""), &[Some([2.0 / 3.0, 1.0 / 3.0]), Some([0.0, 1.0]), None, None, None]);
}

#[test]
fn class_targets_come_from_the_table_and_only_what_cannot_be_judged_is_masked() {
    let husky = Some([0.0, 1.0]);
    assert_rows(&ear("targets = \"class\""), &[Some([0.9, 0.1]), husky, None, Some([0.9, 0.1]), husky]);
}

#[test]
fn shrinkage_weighs_votes_against_the_table() {
    // (3 (2/3, 1/3) + 2 (.9, .1)) / 5; one vote for the husky (unsure is none); (2 (.5, .5) + 2 (.9, .1)) / 4.
    let expected =
        [Some([(2.0 + 1.8) / 5.0, (1.0 + 0.2) / 5.0]), Some([0.0, 1.0]), None, Some([0.7, 0.3]), Some([0.0, 1.0])];
    assert_rows(&ear("targets = { shrink = 2.0 }"), &expected);
    assert_rows(&ear("targets = { shrink = 0 }"), &ear(""));
}

#[test]
fn the_training_part_can_stand_in_for_the_table() {
    let pug = Some([2.0 / 3.0, 1.0 / 3.0]);
    let husky = Some([0.0, 1.0]);
    assert_rows(&ear("targets = \"class\"\nprior = \"train\""), &[pug, husky, None, pug, husky]);
}

#[test]
fn smoothing_depends_on_the_attributes_kind_unless_it_is_given() {
    let heads = heads(&photos(), "").unwrap();
    assert_eq!(heads.iter().map(|head| head.config.smoothing).collect::<Vec<_>>(), [Some(0.1), Some(0.2)]);
    // Breed of the first photo: pug, .9 + .1 / 2. Ear of the second: erect, .8 + .2 / 2.
    assert_relative_eq!(heads[0].targets[0], 0.95);
    assert_relative_eq!(heads[1].targets[3], 0.9);
    assert_eq!(heads[0].truth, [Some(0), Some(1), Some(0), Some(0), Some(1)]);
    assert_eq!(heads[1].truth, [Some(0), Some(1), None, None, None]);
}

#[test]
fn an_attribute_with_one_labelled_value_in_train_has_no_head() {
    let one = dataset(&[
        (Split::Train, "pug", Some("drop"), &[("drop", 1.0)], 1, &[]),
        (Split::Train, "husky", Some("drop"), &[("drop", 1.0)], 1, &[]),
        (Split::Test, "husky", Some("erect"), &[("erect", 1.0)], 1, &[]),
    ]);
    let mut warnings = Vec::new();
    let heads = head_data(&one, &RunConfig::default(), &mut |text| warnings.push(text)).unwrap();
    assert_eq!(heads.len(), 1);
    assert!(warnings.len() == 1 && warnings[0].contains("`ear`: 1"), "{warnings:?}");
    assert!(self::heads(&one, "[heads.ear]").unwrap_err().to_string().contains("no attribute has two"));
    let none = dataset(&[]);
    assert!(self::heads(&none, "").is_err());
}

#[test]
fn what_does_not_fit_the_schema_is_said() {
    let error = |dataset: &Dataset, text: &str| heads(dataset, text).unwrap_err().to_string();
    assert!(
        error(&photos(), "[heads.tail]").contains("heads.tail: there is no such attribute; the dataset has breed, ear")
    );
    assert!(error(&photos(), "[heads.breed]\ntargets = \"class\"").contains("only \"instance\""));
    let mut strange = photos();
    strange.items[0].given.insert("breed".into(), "poodle".into());
    assert!(error(&strange, "").contains("images/0.jpg: `poodle`"));
    let mut bare = photos();
    bare.manifest.priors.clear();
    assert!(error(&bare, "[heads.ear]\ntargets = \"class\"\nprior = \"table\"").contains("no table"));
}

#[test]
fn a_retired_value_counts_while_somebody_uses_it() {
    let mut dataset = photos();
    let ear = &mut dataset.manifest.schema.attributes[1];
    let retired = |key: &str| AttributeValue { key: key.into(), names: Texts::default(), retired: true };
    ear.values.extend([retired("button"), retired("rose")]);
    dataset.items[1].targets.insert("ear".into(), shares(&[("erect", 0.5), ("rose", 0.5)]));
    assert_eq!(heads(&dataset, "[heads.ear]").unwrap()[0].labels, ["drop", "erect", "rose"]);
}

#[test]
fn a_sampled_vote_is_drawn_from_the_shares_anew_each_epoch() {
    let head = |text: &str| heads(&photos(), &format!("[heads.ear]\n{text}")).unwrap().remove(0);
    let sampled = head("votes = \"sampled\"\nsmoothing = 0.2");
    let mut drops = [0; 5];
    for epoch in 1..=900 {
        let targets = sampled.epoch_targets(0, epoch);
        assert_eq!(targets, sampled.epoch_targets(0, epoch));
        for (i, row) in targets.chunks(2).enumerate() {
            match (sampled.mask[i], row) {
                (0.0, row) => assert_eq!(row, [0.0, 0.0]),
                (_, [drop, erect]) => {
                    assert!(drop.max(*erect) > 0.899 && drop.min(*erect) < 0.101, "{row:?} is no smoothed vote");
                    drops[i] += usize::from(drop > erect);
                }
                _ => unreachable!(),
            }
        }
    }
    // Two of three votes for drop: 600 expected, with a deviation of 14; the husky has none.
    assert!((540..660).contains(&drops[0]), "{drops:?}");
    assert_eq!(drops[1], 0);
    let first = |seed| (1..=20).map(|epoch| sampled.epoch_targets(seed, epoch)[0]).collect::<Vec<_>>();
    assert_ne!(first(0), first(1));
    let plain = head("smoothing = 0.2");
    assert_eq!(plain.epoch_targets(0, 7), plain.targets);
}

#[test]
fn a_draw_falls_into_the_share_that_it_hits() {
    // Shares .25, 0, .75, smoothed by .3.
    let smoothed = [0.25, 0.0, 0.75].map(|share| (0.7 * share + 0.1) as f32);
    for (draw, class) in [(0.0, 0), (0.2499, 0), (0.2501, 2), (0.999_999, 2), (1.0, 2)] {
        assert_eq!(drawn(&smoothed, 0.3, draw), class, "{draw}");
    }
}

#[test]
fn not_visible_is_learnt_as_one_more_answer_where_five_photos_have_it() {
    let unseen: Photo<'_> = (Split::Train, "pug", Some("not_visible"), &[], 0, &[("not_visible", 2)]);
    let mut rows: Vec<Photo<'_>> = vec![
        (Split::Train, "pug", Some("drop"), &[("drop", 1.0)], 1, &[("drop", 3), ("not_visible", 1)]),
        (Split::Train, "husky", Some("erect"), &[("erect", 1.0)], 1, &[("erect", 2)]),
        // Most say so; a reviewer says so against the votes; a tie.
        (Split::Test, "pug", Some("not_visible"), &[("drop", 1.0)], 0, &[("drop", 1), ("not_visible", 3)]),
        (Split::Train, "pug", Some("not_visible"), &[("drop", 1.0)], 0, &[("drop", 2), ("not_visible", 1)]),
        (Split::Train, "pug", None, &[("drop", 1.0)], 0, &[("drop", 1), ("not_visible", 1)]),
        unseen,
        unseen,
    ];
    let config = "[data]\nnot_visible = true\n[heads.ear]\nsmoothing = 0";
    let four = heads(&dataset(&rows), config).unwrap();
    assert_eq!(four[0].labels, ["drop", "erect"], "four photos are too few");
    rows.push(unseen);
    let dataset = dataset(&rows);
    let head = heads(&dataset, config).unwrap().remove(0);
    assert_eq!(head.labels, ["drop", "erect", "not_visible"]);
    let expected = [[0.75, 0.0, 0.25], [0.0, 1.0, 0.0], [0.25, 0.0, 0.75], [0.0, 0.0, 1.0]];
    for (row, expected) in expected.iter().enumerate() {
        assert_eq!((&head.targets[row * 3..row * 3 + 3], head.mask[row]), (&expected[..], 1.0), "row {row}");
    }
    assert_eq!(head.mask[4], 0.0, "a tie teaches nothing");
    assert_eq!(head.targets[15..18], [0.0, 0.0, 1.0]);
    assert_eq!(head.truth, [Some(0), Some(1), Some(2), Some(2), None, Some(2), Some(2), Some(2)]);
    let without = heads(&dataset, "[heads.ear]\nsmoothing = 0").unwrap().remove(0);
    assert_eq!((without.labels.len(), &without.mask[..4]), (2, &[1.0, 1.0, 0.0, 0.0][..]));
    // A prior says nothing of photos in which the part does not show.
    let class = heads(&dataset, &format!("{config}\ntargets = \"class\"")).unwrap().remove(0);
    assert_relative_eq!(class.targets[0], 0.9 * 0.75);
    assert_eq!((class.targets[2], class.targets[17]), (0.25, 1.0));
}
