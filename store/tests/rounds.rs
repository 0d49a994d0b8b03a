//! Active learning from round to round.

mod world;

use kenami_domain::{
    roles::Role,
    view::{
        queue::QueueOrder,
        rounds::{RoundInput, Rounds},
    },
};
use kenami_store::{actor::Actor, datasets, error::Error, jobs, projects, rounds};
use sqlx::PgPool;
use world::{PETS, World};

fn input(order: QueueOrder) -> RoundInput {
    RoundInput { order, config: "epochs = 2".to_owned() }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_round_freezes_what_has_been_answered_and_trains_on_it(db: PgPool) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let lead = world.member("lea", Role::Lead).await;
    let begin = async |order| rounds::begin(&lead, &world.db, PETS, input(order)).await;
    let state = async || -> Rounds { rounds::list(&lead, &world.db, PETS).await.unwrap() };
    assert!(matches!(begin(QueueOrder::Entropy).await, Err(Error::Conflict(_))), "nothing has been answered");
    assert!(matches!(begin(QueueOrder::Balance).await, Err(Error::Invalid { field: "order", .. })));
    let broken = RoundInput { order: QueueOrder::Margin, config: "epoch = 1".to_owned() };
    let broken = rounds::begin(&lead, &world.db, PETS, broken).await;
    assert!(matches!(broken, Err(Error::Invalid { field: "config", .. })));
    assert_eq!(datasets::list(&lead, &world.db, PETS).await.unwrap().len(), 0, "what is refused freezes nothing");

    let ann = world.member("ann", Role::Annotator).await;
    world.annotate(&ann, |_| ("drop", "short")).await;
    assert_eq!((state().await.fresh, state().await.open), (40, 20), "two attributes; one annotator of two");
    let first = begin(QueueOrder::Margin).await.unwrap();
    assert_eq!((first.row.name.as_str(), first.row.dataset.as_str()), ("round-1", "round-1"));
    assert!(jobs::get(&lead, &world.db, first.job.unwrap().id).await.is_ok());
    assert_eq!(projects::settings(&lead, &world.db, PETS).await.unwrap().queue_order, QueueOrder::Margin);
    let now = state().await;
    assert_eq!((now.order, now.fresh, now.rounds.len(), now.rounds[0].labels), (QueueOrder::Margin, 0, 1, 40));
    assert!(matches!(begin(QueueOrder::Margin).await, Err(Error::Conflict(_))), "the same labels again");
    let config = "[pseudo]\nunlabelled = true\n".to_owned();
    let other = RoundInput { order: QueueOrder::Margin, config: format!("epochs = 2\n{config}") };
    assert_eq!(
        rounds::begin(&lead, &world.db, PETS, other.clone()).await.unwrap().row.name,
        "round-2",
        "they say more"
    );
    assert!(matches!(rounds::begin(&lead, &world.db, PETS, other).await, Err(Error::Conflict(_))));

    let ben = world.member("ben", Role::Annotator).await;
    world.annotate(&ben, |_| ("erect", "short")).await;
    assert_eq!(state().await.fresh, 40);
    assert_eq!(begin(QueueOrder::Margin).await.unwrap().row.name, "round-3");
    let rounds: Vec<_> = state().await.rounds.into_iter().map(|round| (round.run.name, round.labels)).collect();
    assert_eq!(rounds, [("round-1".to_owned(), 40), ("round-2".to_owned(), 40), ("round-3".to_owned(), 80)]);
    // A label that is taken back later was there at the freeze.
    world.run("UPDATE labels SET superseded_at = now() WHERE id = (SELECT min(id) FROM labels)").await;
    assert_eq!(rounds::list(&Actor::System, &world.db, PETS).await.unwrap().rounds[0].labels, 40);
}
