//! A split value: its labels are kept, and no votes until they are given again.

use kenami_domain::{roles::Role, view::schema_change::SchemaChange};
use kenami_store::{actor::Actor, annotate, error::Error, labels, oversight, reports, schema_changes};
use sqlx::PgPool;

use crate::{
    answered, merge, value,
    world::{PETS, World, submission},
};

fn split(keep: bool) -> SchemaChange {
    let into = vec![value("tipped"), value("half")];
    SchemaChange::SplitValue { attribute: "ear".to_owned(), value: "semi_erect".to_owned(), into, keep }
}

impl World {
    /// Votes as [`Self::standing`] has labels.
    pub async fn votes(&self, lead: &Actor) -> Vec<String> {
        let votes = labels::export(lead, &self.db, PETS).await.unwrap().into_iter();
        let mut votes: Vec<String> = votes
            .map(|row| format!("{} {} {} {}", row.image, row.annotator, row.attribute, row.answer.key()))
            .collect();
        votes.sort();
        votes
    }

    /// What the tables of the queue say of themselves holds.
    async fn assert_counts_hold(&self) {
        let wrong = "SELECT count(*) FROM tasks t WHERE taken <> (SELECT count(*) FROM claims c
                     WHERE c.photo_id = t.photo_id AND c.released_at IS NULL AND c.slot IS NOT NULL)";
        assert_eq!(self.number(wrong).await, 0);
        let wrong = "SELECT count(*) FROM annotators a WHERE (photos_done, photos_outside) <> (
                         SELECT count(*), count(*) FILTER (WHERE slot IS NULL) FROM claims c
                         WHERE c.annotator_id = a.id AND c.done_at IS NOT NULL AND c.released_at IS NULL)";
        assert_eq!(self.number(wrong).await, 0);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_split_value_is_asked_for_again_where_it_was_given(db: PgPool) {
    let (world, lead, x, y) = answered(db).await;
    let counts = schema_changes::preview(&lead, &world.db, PETS, &split(false)).await.unwrap();
    assert_eq!((counts.labels_in_doubt, counts.photos_returned, counts.photos_opened), (2, 2, 0));
    let (labels, votes) = (world.standing().await, world.votes(&lead).await);
    assert_eq!(votes, labels);
    let made = schema_changes::apply(&lead, &world.db, PETS, &split(false)).await.unwrap();
    assert_eq!(made.counts, counts);
    assert_eq!(world.standing().await, labels, "no label is lost");
    let left = votes.iter().filter(|vote| !vote.ends_with("semi_erect")).cloned().collect::<Vec<_>>();
    assert_eq!((left.len(), world.votes(&lead).await), (10, left), "what nobody can read is no vote");
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "tipped", "half", "erect"]);
    assert!(annotate::claim(&y, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty(), "y never said it");
    let back = annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos;
    let names: Vec<&str> = back.iter().map(|claimed| claimed.photo.name.as_str()).collect();
    assert_eq!((names, &back[0].in_doubt), (vec!["a", "b"], &vec!["ear".to_owned()]));

    // As long as nothing is answered, all comes back; then nothing does.
    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert!(annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "erect"]);
    assert_eq!(world.number("SELECT count(*) FROM label_doubts").await, 0);
    assert_eq!(world.votes(&lead).await, votes);
    world.assert_counts_hold().await;
    let kept = SchemaChange::SplitValue {
        attribute: "ear".to_owned(),
        value: "semi_erect".to_owned(),
        into: vec![value("folded")],
        keep: true,
    };
    let made = schema_changes::apply(&lead, &world.db, PETS, &kept).await.unwrap();
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "folded", "erect"]);
    world.annotate(&x, |photo| (if photo == "a" { "folded" } else { "semi_erect" }, "short")).await;
    let refused = schema_changes::undo(&lead, &world.db, PETS, made.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let again = world.votes(&lead).await;
    assert_eq!(again, world.standing().await, "what is given again is a vote");
    assert!(again.contains(&"a x ear folded".to_owned()) && again.contains(&"b x ear semi_erect".to_owned()));
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn others_answer_a_split_value_where_it_was_given_by_somebody_who_cannot(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let z = world.member("z", Role::Annotator).await;
    let x_id = world.number("SELECT id FROM annotators WHERE name = 'x'").await;
    oversight::pause(&lead, &world.db, PETS, x_id).await.unwrap();
    let votes = world.votes(&lead).await;
    let made = schema_changes::apply(&lead, &world.db, PETS, &split(true)).await.unwrap();
    assert_eq!((made.counts.photos_returned, made.counts.photos_opened), (0, 2));
    world.assert_counts_hold().await;
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE taken < needed").await, 2, "open to others");

    // It is nothing about the annotator, and a lead does not take it back as if it were.
    let report = reports::annotator(&lead, &world.db, PETS, x_id).await.unwrap();
    assert!(report.doubts.is_empty());
    assert!(reports::annotators(&lead, &world.db, PETS).await.unwrap().iter().all(|row| row.doubted == 0));
    let doubt = world.number("SELECT max(id) FROM annotator_doubts WHERE undone_at IS NULL").await;
    let refused = oversight::undo_doubt(&lead, &world.db, PETS, x_id, doubt).await;
    assert!(matches!(refused, Err(Error::NotFound("doubt"))), "{refused:?}");

    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, votes);
    assert!(annotate::claim(&z, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty(), "the slots are x's again");
    world.assert_counts_hold().await;

    // Once others have answered, it stays.
    let into = vec![value("folded")];
    let split =
        SchemaChange::SplitValue { attribute: "ear".to_owned(), value: "semi_erect".to_owned(), into, keep: true };
    let made = schema_changes::apply(&lead, &world.db, PETS, &split).await.unwrap();
    world.annotate(&z, |_| ("folded", "short")).await;
    let votes = world.votes(&lead).await;
    assert!(votes.contains(&"a z ear folded".to_owned()) && !votes.iter().any(|vote| vote.ends_with("semi_erect")));
    let refused = schema_changes::undo(&lead, &world.db, PETS, made.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_doubt_goes_along_when_values_are_merged_and_ends_with_its_split(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let votes = world.votes(&lead).await;
    let split = schema_changes::apply(&lead, &world.db, PETS, &split(true)).await.unwrap();
    let merged = schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap();
    let left = votes.iter().filter(|vote| !vote.ends_with("semi_erect")).cloned().collect::<Vec<_>>();
    assert_eq!(world.votes(&lead).await, left, "still nobody knows what they mean");
    schema_changes::undo(&lead, &world.db, PETS, merged.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, left);
    schema_changes::undo(&lead, &world.db, PETS, split.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, votes);
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_value_that_is_split_twice_is_asked_for_until_both_are_undone(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let votes = world.votes(&lead).await;
    let again = |into: &str| SchemaChange::SplitValue {
        attribute: "ear".to_owned(),
        value: "semi_erect".to_owned(),
        into: vec![value(into)],
        keep: true,
    };
    let first = schema_changes::apply(&lead, &world.db, PETS, &again("folded")).await.unwrap();
    let second = schema_changes::apply(&lead, &world.db, PETS, &again("tipped")).await.unwrap();
    schema_changes::undo(&lead, &world.db, PETS, second.id).await.unwrap();
    let back = annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos;
    assert_eq!(back.len(), 2);
    assert!(back.iter().all(|claimed| claimed.in_doubt == ["ear"]), "still in doubt by the first");
    schema_changes::undo(&lead, &world.db, PETS, first.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, votes);
    assert_eq!(world.number("SELECT count(*) FROM label_doubts").await, 0);
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn answers_on_gold_stay_when_their_value_is_split(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    // As if y had met the photo as gold.
    world.photos(&["g"]).await;
    world.annotate(&x, |_| ("semi_erect", "short")).await;
    world
        .run(
            "INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, gold)
              SELECT l.project_id, l.photo_id, l.attribute_id, y.id, l.answer, l.value_id, true
              FROM labels l JOIN photos p ON p.id = l.photo_id JOIN attributes a ON a.id = l.attribute_id,
                   annotators y
              WHERE p.name = 'g' AND a.key = 'ear' AND y.name = 'y'",
        )
        .await;
    let made = schema_changes::apply(&lead, &world.db, PETS, &split(true)).await.unwrap();
    assert_eq!((made.counts.labels_in_doubt, made.counts.labels_kept, made.counts.photos_returned), (3, 1, 3));
    let golden = "SELECT count(*) FROM doubted_labels d JOIN labels l ON l.id = d.label_id WHERE l.gold";
    assert_eq!(world.number(golden).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_value_is_split_while_its_photos_are_answered_again(db: PgPool) {
    let (world, lead, x, y) = answered(db).await;
    let answering = async |actor: &Actor| {
        for round in 0..20 {
            for claimed in annotate::claim(actor, &world.db, PETS, 20, &[]).await.unwrap().photos {
                let ear = if round % 2 == 0 { "semi_erect" } else { "drop" };
                annotate::submit(actor, &world.db, PETS, submission(claimed.claim_id, ear, "short")).await.unwrap();
            }
        }
    };
    let splitting = async {
        for round in 0..8 {
            let into = vec![value(&format!("tip-{round}"))];
            let change = SchemaChange::SplitValue {
                attribute: "ear".to_owned(),
                value: "semi_erect".to_owned(),
                into,
                keep: true,
            };
            let made = schema_changes::apply(&lead, &world.db, PETS, &change).await.unwrap();
            match schema_changes::undo(&lead, &world.db, PETS, made.id).await {
                Ok(()) | Err(Error::Conflict(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::join!(answering(&x), answering(&y), splitting);
    answering(&x).await;
    world.assert_counts_hold().await;
    assert_eq!(world.votes(&lead).await, world.standing().await, "all that was in doubt has been given again");
}
