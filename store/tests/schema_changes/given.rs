//! Values of given attributes that become one.

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::Policy,
    schema::Prior,
    view::{
        dataset::FreezeInput,
        schema_change::{SchemaChange, SchemaCounts},
    },
};
use kenami_store::{
    datasets,
    error::Error,
    photos::{self, NewFile, NewPhoto},
    schema, schema_changes,
};
use sqlx::PgPool;

use crate::{answered, world::PETS};

#[sqlx::test(migrations = "../migrations")]
async fn given_values_are_merged_with_their_photos_and_standards_and_come_back(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let standard = |breed: &str, drop: f64, attribute: &str, other: &str| Prior {
        given_attribute: "breed".to_owned(),
        given_value: breed.to_owned(),
        attribute: attribute.to_owned(),
        distribution: BTreeMap::from([
            (if attribute == "ear" { "drop" } else { "short" }.to_owned(), drop),
            (other.to_owned(), 1.0 - drop),
        ]),
    };
    let standards = [
        standard("pug", 0.9, "ear", "semi_erect"),
        standard("pug", 0.8, "coat", "long"),
        standard("poodle", 0.3, "ear", "erect"),
    ];
    schema::set_priors(&lead, &world.db, PETS, &standards).await.unwrap();
    let (labels, votes) = (world.standing().await, world.votes(&lead).await);
    let merge = |values: &[&str], into: &str| SchemaChange::MergeValues {
        attribute: "breed".to_owned(),
        values: values.iter().map(ToString::to_string).collect(),
        into: into.to_owned(),
    };
    let counts = schema_changes::preview(&lead, &world.db, PETS, &merge(&["pug"], "poodle")).await.unwrap();
    assert_eq!(counts, SchemaCounts { photos_moved: 2, ..SchemaCounts::default() });
    let made = schema_changes::apply(&lead, &world.db, PETS, &merge(&["pug"], "poodle")).await.unwrap();
    let photos = async || schema_changes::attributes(&lead, &world.db, PETS).await.unwrap()[0].labels.clone();
    assert_eq!(photos().await, BTreeMap::from([("poodle".to_owned(), 3)]));
    assert_eq!(world.offered(&lead, "breed").await, ["poodle"]);
    assert_eq!((world.standing().await, world.votes(&lead).await), (labels.clone(), votes));

    // Two pugs and a poodle: (2 * 0.9 + 0.3) / 3. Nothing was expected of a poodle's coat.
    let merged = schema::priors(&lead, &world.db, PETS).await.unwrap();
    let expected =
        [("ear", "drop", 0.7), ("ear", "semi_erect", 0.2 / 3.0), ("ear", "erect", 0.7 / 3.0), ("coat", "short", 0.8)];
    for (attribute, value, probability) in expected {
        let prior = merged.iter().find(|prior| prior.attribute == attribute).unwrap();
        assert_eq!(prior.given_value, "poodle");
        assert!((prior.distribution[value] - probability).abs() < 1e-12, "{attribute} {value}: {prior:?}");
    }

    // The same table again, as with the same folder, changes nothing.
    schema::set_priors(&lead, &world.db, PETS, &standards).await.unwrap();
    assert_eq!(schema::priors(&lead, &world.db, PETS).await.unwrap(), merged);

    // What comes in under the old key is of the value that stays.
    let file = |contents: &[u8; 32]| NewFile {
        hash: *contents,
        bytes: 1000,
        media_type: "image/jpeg",
        width: 640,
        height: 480,
    };
    let old = sqlx::query_scalar::<_, Vec<u8>>(
        "SELECT hash FROM files f JOIN photos p ON p.file_id = f.id WHERE p.name = 'a'",
    );
    let old: [u8; 32] = old.fetch_one(&world.db).await.unwrap().try_into().unwrap();
    let given = BTreeMap::from([("breed".to_owned(), "pug".to_owned())]);
    let batch = [("a", old), ("late", [7; 32])].map(|(name, hash)| NewPhoto {
        name: name.to_owned(),
        file: file(&hash),
        split: None,
        given: given.clone(),
    });
    let added = photos::add_batch(&lead, &world.db, PETS, batch.to_vec()).await.unwrap();
    assert_eq!((added.added, added.unchanged, added.conflicts.len()), (1, 1, 0));
    assert_eq!(photos().await, BTreeMap::from([("poodle".to_owned(), 4)]));
    let input = FreezeInput { name: "merged".to_owned(), policy: Policy::Majority, run: None, seed: 0 };
    datasets::freeze(&lead, &world.db, PETS, input).await.unwrap();
    let frozen = "SELECT count(*) FROM dataset_items WHERE item -> 'given' ->> 'breed' = 'poodle'";
    assert_eq!(world.number(frozen).await, 4);
    let gone = schema_changes::apply(&lead, &world.db, PETS, &merge(&["pug"], "poodle")).await;
    assert!(matches!(gone, Err(Error::Invalid { field: "value", .. })), "{gone:?}");

    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(photos().await, BTreeMap::from([("poodle".to_owned(), 2), ("pug".to_owned(), 2)]));
    assert_eq!(world.offered(&lead, "breed").await, ["pug", "poodle"]);
    assert_eq!(schema::priors(&lead, &world.db, PETS).await.unwrap(), standards);
    assert_eq!(world.standing().await, labels);
    let added = photos::add_batch(&lead, &world.db, PETS, batch[..1].to_vec()).await.unwrap();
    assert_eq!((added.unchanged, added.conflicts.len()), (1, 0), "the key is its own again");
}
