use super::*;
use crate::schema::{AttributeValue, Texts};

fn attribute(key: &str, kind: AttributeKind, values: &[&str]) -> Attribute {
    let value = |key: &&str| AttributeValue { key: (*key).to_owned(), names: Texts::default(), retired: false };
    Attribute { key: key.to_owned(), names: Texts::default(), kind, values: values.iter().map(value).collect() }
}

fn attributes() -> Vec<Attribute> {
    vec![
        attribute("breed", AttributeKind::Given, &["persian", "sphynx", "pug"]),
        attribute("coat", AttributeKind::Annotated, &["none", "short", "long"]),
    ]
}

fn judged(answer: u32, predicted: u32, of_answer: f32) -> Option<Judgement> {
    Some(Judgement { answer, predicted, probability: 0.6, of_answer })
}

/// Breed and coat: answer, prediction.
fn photo(id: i64, breed: (u32, u32), coat: Option<(u32, u32)>) -> UnseenPhoto {
    let of = |(answer, predicted): (u32, u32)| judged(answer, predicted, if answer == predicted { 0.6 } else { 0.1 });
    UnseenPhoto { id, given: vec![Some(breed.0), None], judged: vec![of(breed), coat.and_then(of)] }
}

/// Persians are taken for a sphynx where the coat is wrong, a pug once without reason.
fn photos() -> Vec<UnseenPhoto> {
    vec![
        photo(1, (0, 1), Some((2, 0))),
        photo(2, (0, 1), Some((2, 0))),
        photo(3, (0, 0), Some((2, 2))),
        photo(4, (0, 0), Some((2, 2))),
        photo(5, (2, 0), Some((1, 1))),
        photo(6, (2, 2), Some((1, 2))),
        photo(7, (2, 2), None),
        photo(8, (1, 1), Some((0, 0))),
    ]
}

#[test]
fn the_worst_values_come_first() {
    let (attributes, photos) = (attributes(), photos());
    let errors = Errors { attributes: &attributes, photos: &photos };
    let all = errors.score(0);
    assert_eq!((all.right, all.photos), (5, 8));
    let of_breed = errors.scores(0, 0);
    let named: Vec<_> = of_breed.iter().map(|score| (score.value.as_str(), score.right, score.photos)).collect();
    assert_eq!(named, [("persian", 2, 4), ("pug", 2, 3), ("sphynx", 1, 1)]);
    assert_eq!(of_breed[0].interval, wilson(2, 4));
    let coats: Vec<_> = errors.scores(1, 0).into_iter().map(|score| (score.value, score.right, score.photos)).collect();
    assert_eq!(coats, [("persian".into(), 2, 4), ("pug".into(), 1, 2), ("sphynx".into(), 1, 1)]);
}

#[test]
fn pairs_and_losses() {
    let (attributes, photos) = (attributes(), photos());
    let errors = Errors { attributes: &attributes, photos: &photos };
    let confused = errors.confused(0);
    assert_eq!((confused[0].answer.as_str(), confused[0].predicted.as_str()), ("persian", "sphynx"));
    assert_eq!((confused[0].count, confused[0].of, confused.len()), (2, 4, 2));
    let worst = errors.worst(0, 3, |_| true);
    assert_eq!(worst.iter().map(|(photo, _)| photo.id).collect::<Vec<_>>(), [1, 2, 5]);
    assert!((worst[0].1.loss() - 10f64.ln()).abs() < 1e-6);
    assert_eq!(errors.worst(0, 9, |judged| judged.answer == 2).len(), 3);
    assert!(judged(0, 1, 0.0).unwrap().loss().is_finite());
}

#[test]
fn a_wrong_coat_explains_a_wrong_breed_where_they_coincide() {
    let (attributes, photos) = (attributes(), photos());
    let errors = Errors { attributes: &attributes, photos: &photos };
    let prior = |breed: &str, of: &[(&str, f64)]| Prior {
        given_attribute: "breed".into(),
        given_value: breed.into(),
        attribute: "coat".into(),
        distribution: of.iter().map(|(value, p)| ((*value).to_owned(), *p)).collect(),
    };
    let priors = [prior("persian", &[("long", 1.0)]), prior("sphynx", &[("none", 0.9), ("short", 0.1)])];
    let [of_coat] = &errors.explanations(&priors, 5)[..] else { panic!("one head of each kind") };
    assert_eq!((of_coat.given.as_str(), of_coat.attribute.as_str()), ("breed", "coat"));
    // The photo without an answer to the coat is in no cell.
    assert_eq!(of_coat.table, TwoByTwo { group_hit: 2, group_miss: 1, other_hit: 1, other_miss: 3 });
    assert_eq!(of_coat.ratio, of_coat.table.ratio());
    assert_eq!(of_coat.stratified.unwrap().strata, 2, "persians and pugs have right and wrong coats");
    let [apart] = &of_coat.told_apart[..] else { panic!("{:?}", of_coat.told_apart) };
    assert_eq!((apart.answer.as_str(), apart.predicted.as_str(), apart.photos), ("persian", "sphynx", 2));
    assert_eq!((apart.of_answer.as_str(), apart.of_predicted.as_str()), ("long", "none"));
    assert_eq!((apart.distance, apart.judged, apart.wrong), (1.0, 2, 2));
}

#[test]
fn labels_stand_for_a_standard_that_is_not_written_where_there_are_enough() {
    let attributes = attributes();
    let mut photos: Vec<UnseenPhoto> = (0..3).map(|id| photo(id, (0, 1), Some((2, 2)))).collect();
    photos.extend((3..6).map(|id| photo(id, (1, 1), Some((0, 0)))));
    let errors = Errors { attributes: &attributes, photos: &photos };
    let found = errors.explanations(&[], 5);
    assert_eq!(found[0].told_apart.len(), 1);
    assert_eq!((found[0].told_apart[0].judged, found[0].told_apart[0].wrong), (3, 0));
    let fewer = Errors { attributes: &attributes, photos: &photos[1..] };
    assert_eq!(fewer.explanations(&[], 5)[0].told_apart, []);
}
