//! What attributes and values are called.

use std::collections::BTreeMap;

use kenami_domain::{
    schema::Texts,
    view::schema_change::{Renamed, SchemaChange, SchemaCounts},
};
use kenami_store::{actor::Actor, error::Error, schema_changes};
use sqlx::PgPool;

use crate::{
    answered,
    world::{PETS, World},
};

fn rename(attribute: &str, names: Option<Texts>, values: &[(&str, Texts)]) -> SchemaChange {
    let values = values.iter().map(|(key, names)| ((*key).to_owned(), names.clone())).collect();
    SchemaChange::Rename { attribute: attribute.to_owned(), names, values }
}

fn both(en: &str, ja: &str) -> Texts {
    Texts(BTreeMap::from([("en".to_owned(), en.to_owned()), ("ja".to_owned(), ja.to_owned())]))
}

impl World {
    /// What the attribute and its values are called, by key.
    async fn names(&self, actor: &Actor, attribute: &str) -> BTreeMap<String, Texts> {
        let attributes = schema_changes::attributes(actor, &self.db, PETS).await.unwrap();
        let attribute = attributes.into_iter().find(|one| one.attribute.key == attribute).unwrap().attribute;
        let values = attribute.values.into_iter().map(|value| (value.key, value.names));
        values.chain([(attribute.key, attribute.names)]).collect()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn names_are_changed_for_all_languages_and_come_back_whoever_has_labelled(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let (labels, before) = (world.standing().await, world.names(&lead, "ear").await);
    let change =
        rename("ear", Some(both("Ears", " 耳 ")), &[("drop", both("", "垂れ耳")), ("erect", Texts::default())]);
    let counts = schema_changes::preview(&lead, &world.db, PETS, &change).await.unwrap();
    let one = |value: Option<&str>, to: Texts, labels| {
        let value = value.map(str::to_owned);
        Renamed { value, from: Texts::default(), to, labels, photos: 0 }
    };
    let japanese = Texts::of("ja", "垂れ耳");
    let renamed = vec![one(None, both("Ears", "耳"), 6), one(Some("drop"), japanese.clone(), 2)];
    assert_eq!(
        counts,
        SchemaCounts { renamed, ..SchemaCounts::default() },
        "an empty name is none; erect has none yet"
    );
    assert_eq!(world.names(&lead, "ear").await, before, "a preview changes nothing");

    let made = schema_changes::apply(&lead, &world.db, PETS, &change).await.unwrap();
    assert_eq!((&made.counts, made.bound, made.by.as_str()), (&counts, None, "lead"));
    let after = world.names(&lead, "ear").await;
    assert_eq!((&after["ear"], &after["drop"]), (&both("Ears", "耳"), &japanese));
    assert_eq!((&after["erect"], &after["semi_erect"]), (&before["erect"], &before["semi_erect"]));
    assert_eq!(world.standing().await, labels);

    // A label is of a key: it means the same whatever that is called, so that labels on top bind nothing.
    world.photos(&["d"]).await;
    world.annotate(&x, |_| ("drop", "short")).await;
    assert_eq!(schema_changes::list(&lead, &world.db, PETS).await.unwrap()[0].bound, None);
    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(world.names(&lead, "ear").await, before);
    assert!(world.standing().await.contains(&"d x ear drop".to_owned()));
    let undone = schema_changes::list(&lead, &world.db, PETS).await.unwrap();
    assert_eq!(
        (&undone[0].change, undone[0].undone.as_ref().map(|undone| undone.by.as_str())),
        (&change, Some("lead"))
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn names_are_checked_and_undone_from_the_newest_on(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let call = |name: &str| rename("ear", Some(Texts::en(name)), &[]);
    let (long, unknown) = (call(&"x".repeat(101)), rename("ear", None, &[("tail", Texts::en("Tail"))]));
    let same = rename("ear", Some(Texts::en(" ")), &[("drop", Texts::default())]);
    for wrong in [long, unknown, same] {
        let refused = schema_changes::apply(&lead, &world.db, PETS, &wrong).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "names", .. })), "{refused:?}");
    }
    let nowhere = schema_changes::apply(&lead, &world.db, PETS, &rename("tail", Some(Texts::en("Tail")), &[])).await;
    assert!(matches!(nowhere, Err(Error::NotFound("attribute"))), "{nowhere:?}");
    let annotator = schema_changes::apply(&x, &world.db, PETS, &call("Ears")).await;
    assert!(matches!(annotator, Err(Error::Forbidden)), "{annotator:?}");
    assert!(schema_changes::list(&lead, &world.db, PETS).await.unwrap().is_empty());

    let first = schema_changes::apply(&lead, &world.db, PETS, &call("Ears")).await.unwrap();
    let breed = rename("breed", Some(Texts::en("Race")), &[("pug", Texts::en("Mops"))]);
    let second = schema_changes::apply(&lead, &world.db, PETS, &breed).await.unwrap();
    assert_eq!(second.counts.renamed.iter().map(|one| (one.labels, one.photos)).collect::<Vec<_>>(), [(0, 3), (0, 2)]);
    let refused = schema_changes::undo(&lead, &world.db, PETS, first.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(world.names(&lead, "ear").await["ear"], Texts::en("Ears"));
    schema_changes::undo(&lead, &world.db, PETS, second.id).await.unwrap();
    assert_eq!(world.names(&lead, "breed").await["pug"], Texts::default());
    schema_changes::undo(&lead, &world.db, PETS, first.id).await.unwrap();
    assert_eq!(world.names(&lead, "ear").await["ear"], Texts::default());
}
