//! A project with one of everything, and the people who try their luck in it.

use kenami_domain::{
    roles::Role,
    schema::Texts,
    view::{
        dataset::FreezeInput,
        guidelines::{GuidelineText, Rule},
        run::TrainInput,
    },
};
use kenami_store::{
    actor::{Actor, UserActor},
    datasets, guidelines, links, people,
    rights::Needs,
    runs,
};
use sqlx::PgPool;

use crate::world::{self, PETS, World};

/// Who may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    /// A lead whose account is disabled.
    Disabled,
    /// The lead of another project.
    Stranger,
    Member(Role),
    Administrator,
    System,
}

impl Who {
    pub const ALL: [Self; 8] = [
        Self::Anonymous,
        Self::Disabled,
        Self::Stranger,
        Self::Member(Role::Annotator),
        Self::Member(Role::Reviewer),
        Self::Member(Role::Lead),
        Self::Administrator,
        Self::System,
    ];

    /// Whether `needs` allows it: the table in other words than the store's.
    pub fn may(self, needs: Needs) -> bool {
        match (needs, self) {
            (Needs::Nothing, _) => true,
            (_, Self::Anonymous | Self::Disabled) => false,
            (_, Self::System) => true,
            (Needs::SignedIn, _) => true,
            (Needs::System, _) => false,
            (_, Self::Administrator) => true,
            (Needs::Administrator, _) => false,
            (Needs::Project(_), Self::Stranger) => false,
            (Needs::Project(needed), Self::Member(role)) => role >= needed,
        }
    }
}

pub struct Ground {
    pub db: PgPool,
    pub photo_id: i64,
    /// An account without a part in anything.
    pub bystander: i64,
    pub dataset_id: i64,
    pub run_id: i64,
    pub job_id: i64,
    /// Ids of invitations that nobody has used.
    pub invitations: Vec<i64>,
    actors: Vec<(Who, Actor)>,
}

impl Ground {
    pub async fn new(db: PgPool) -> Self {
        let world = World::new(db.clone()).await;
        let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
        let mut actors = vec![(Who::Anonymous, Actor::Anonymous), (Who::System, Actor::System)];
        for role in Role::ALL {
            actors.push((Who::Member(role), world.member(role.as_str(), role).await));
        }
        world.annotate(&actors[2].1, |_| ("drop", "short")).await;
        world.annotate(&actors[3].1, |name| if name == "a.jpg" { ("erect", "short") } else { ("drop", "long") }).await;
        let lead = actors[4].1.clone();
        let disabled = world.member("disabled", Role::Lead).await;
        people::set_disabled(&Actor::System, &db, disabled.user().unwrap().id, true).await.unwrap();
        actors.push((Who::Disabled, disabled));
        actors.push((Who::Stranger, stranger(&db).await));
        actors.push((Who::Administrator, account(&db, "administrator", true).await));
        let bystander = account(&db, "bystander", false).await.user().unwrap().id;
        guidelines::import(&lead, &db, PETS, "ear", &text()).await.unwrap();
        let freeze = FreezeInput { name: "v1".to_owned(), policy: Default::default(), run: None, seed: 0 };
        let dataset_id = datasets::freeze(&lead, &db, PETS, freeze).await.unwrap().id;
        let train = TrainInput { dataset_id, name: "first".to_owned(), config: String::new() };
        let run = runs::create(&lead, &db, PETS, train).await.unwrap();
        for _ in Who::ALL {
            links::invite(&lead, &db, PETS, Role::Annotator, 7).await.unwrap();
        }
        let invitations = links::open_invitations(&lead, &db, PETS).await.unwrap().iter().map(|link| link.id).collect();
        Self {
            photo_id: photos[0],
            bystander,
            dataset_id,
            run_id: run.row.id,
            job_id: run.job.unwrap().id,
            invitations,
            actors,
            db,
        }
    }

    pub fn actor(&self, who: Who) -> &Actor {
        &self.actors.iter().find(|(known, _)| *known == who).unwrap().1
    }

    /// An invitation of the actor's own to be revoked: allowed calls do not get in each other's way.
    pub fn invitation(&self, actor: &Actor) -> i64 {
        self.invitations[self.actors.iter().position(|(_, known)| known == actor).unwrap()]
    }

    /// A digest of every row of every table.
    pub async fn digest(&self) -> Vec<String> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'
             ORDER BY 1",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        let of_table = |table: &String| {
            format!("SELECT '{table} ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t")
        };
        let all = tables.iter().map(of_table).collect::<Vec<_>>().join(" UNION ALL ");
        sqlx::query_scalar(&all).fetch_all(&self.db).await.unwrap()
    }
}

async fn account(db: &PgPool, name: &str, administrator: bool) -> Actor {
    let id = people::create(&Actor::System, db, name, administrator).await.unwrap();
    Actor::User(UserActor { id, name: name.to_owned(), administrator })
}

async fn stranger(db: &PgPool) -> Actor {
    let stranger = account(db, "stranger", false).await;
    world::project(db, "other").await;
    kenami_store::members::add(&Actor::System, db, "other", "stranger", Role::Lead).await.unwrap();
    stranger
}

pub fn text() -> GuidelineText {
    let rules = ["drop", "semi_erect", "erect"].map(|value| Rule {
        value: value.to_owned(),
        rule: Texts::en("Look at the tip."),
        examples: Vec::new(),
    });
    GuidelineText { introduction: Texts::en("Both ears count."), rules: rules.into() }
}
