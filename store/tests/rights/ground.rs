//! A project with one of everything, and the people who try their luck in it.

use kenami_domain::{
    roles::Role,
    schema::Texts,
    view::{
        dataset::FreezeInput,
        experiment::ExperimentInput,
        guidelines::{GuidelineText, Rule},
        run::TrainInput,
        suggestions::PredictionRow,
    },
};
use kenami_store::{
    actor::{Actor, UserActor},
    annotate, datasets, experiments, guidelines, links, members, people,
    rights::Needs,
    runs, suggestions, tokens,
};
use sqlx::PgPool;

use crate::world::{self, PETS, World};

/// The key of the stranger's project, which has the same attributes.
pub const OTHER: &str = "other";

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
    pub experiment_id: i64,
    pub job_id: i64,
    /// A photo of the project that the annotator has in hand and has not answered.
    pub claim_id: i64,
    /// The annotator's, with labels.
    pub annotator_id: i64,
    /// A quiz that the annotator has answered: the first photo's ear.
    pub quiz_id: i64,
    actors: Vec<(Who, Actor)>,
    own: Vec<Own>,
}

/// What there is once for each actor: allowed calls do not get in each other's way.
pub struct Own {
    /// An invitation to be revoked.
    pub invitation_id: i64,
    /// Of an invitation to be accepted.
    pub secret: String,
    /// A token of the actor's; 0, which is none, for those who cannot have one.
    pub token_id: i64,
}

impl Ground {
    pub async fn new(db: PgPool) -> Self {
        let world = World::new(db.clone()).await;
        let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
        let mut actors = vec![(Who::Anonymous, Actor::Anonymous), (Who::System, Actor::System)];
        for role in Role::ALL {
            actors.push((Who::Member(role), world.member(role.as_str(), role).await));
        }
        let [annotator, reviewer, lead] = [2, 3, 4].map(|at: usize| actors[at].1.clone());
        world.annotate(&annotator, |_| ("drop", "short")).await;
        world.annotate(&reviewer, |name| if name == "a.jpg" { ("erect", "short") } else { ("drop", "long") }).await;
        world.photos(&["d.jpg"]).await;
        let claimed = annotate::claim(&annotator, &db, PETS, 1, &[]).await.unwrap();
        let predicted = PredictionRow {
            image: "a.jpg".to_owned(),
            attribute: "ear".to_owned(),
            answer: "drop".to_owned(),
            probability: 0.9,
        };
        suggestions::import(&lead, &db, PETS, "file.csv", 0.0, &[predicted]).await.unwrap();
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
        sqlx::query("UPDATE runs SET artifacts = 'runs/1'").execute(&db).await.unwrap();
        let user_id = annotator.user().unwrap().id;
        let annotator_id = world.number(&format!("SELECT id FROM annotators WHERE user_id = {user_id}")).await;
        let quiz_id = quiz(&world, annotator_id, photos[0]).await;
        let mut own = Vec::new();
        for (who, actor) in &actors {
            own.push(Own::new(&db, &lead, *who, actor).await);
        }
        let input = ExperimentInput { dataset_id, seeds: 2, config: String::new(), curve: false };
        let experiment_id = experiments::create(&Actor::System, &db, PETS, input).await.unwrap().row.id;
        Self {
            photo_id: photos[0],
            bystander,
            dataset_id,
            run_id: run.row.id,
            experiment_id,
            job_id: run.job.unwrap().id,
            claim_id: claimed.photos[0].claim_id,
            annotator_id,
            quiz_id,
            actors,
            own,
            db,
        }
    }

    pub fn actor(&self, who: Who) -> &Actor {
        &self.actors.iter().find(|(known, _)| *known == who).unwrap().1
    }

    /// The id of somebody's account.
    pub fn user_id(&self, who: Who) -> i64 {
        self.actor(who).user().unwrap().id
    }

    /// What there is for the actor alone.
    pub fn own(&self, actor: &Actor) -> &Own {
        &self.own[self.actors.iter().position(|(_, known)| known == actor).unwrap()]
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

impl Own {
    async fn new(db: &PgPool, lead: &Actor, who: Who, actor: &Actor) -> Self {
        links::invite(lead, db, PETS, Role::Annotator, 7).await.unwrap();
        let invitation_id = links::open_invitations(lead, db, PETS).await.unwrap()[0].id;
        let secret = links::invite(lead, db, PETS, Role::Annotator, 7).await.unwrap();
        let mut token_id = 0;
        if !matches!(who, Who::Anonymous | Who::Disabled | Who::System) {
            tokens::create(actor, db, "to be revoked").await.unwrap();
            token_id = tokens::list(actor, db).await.unwrap()[0].id;
        }
        Self { invitation_id, secret, token_id }
    }
}

/// A finished quiz of one photo, whose gold has been removed since.
async fn quiz(world: &World, annotator_id: i64, photo_id: i64) -> i64 {
    world
        .number(&format!(
            "WITH ear AS (
                 SELECT v.attribute_id, v.id AS value_id, a.project_id FROM attribute_values v
                 JOIN attributes a ON a.id = v.attribute_id
                 WHERE a.project_id = {} AND a.key = 'ear' AND v.key = 'drop'
             ), gold AS (
                 INSERT INTO gold_answers (project_id, photo_id, attribute_id, answer, value_id, created_by, removed_by, removed_at)
                 SELECT project_id, {photo_id}, attribute_id, 'value', value_id, 1, 1, now() FROM ear RETURNING id
             ), quiz AS (
                 INSERT INTO quizzes (project_id, annotator_id, attempt, pass_mark, finished_at, score, passed)
                 SELECT project_id, {annotator_id}, 1, 0.8, now(), 1, true FROM ear RETURNING id
             ), photo AS (
                 INSERT INTO quiz_photos (quiz_id, position, photo_id) SELECT id, 0, {photo_id} FROM quiz
             ), answer AS (
                 INSERT INTO quiz_answers (quiz_id, photo_id, attribute_id, gold_answer_id, answer, value_id, correct)
                 SELECT quiz.id, {photo_id}, attribute_id, gold.id, 'value', value_id, true FROM quiz, gold, ear
             )
             SELECT id FROM quiz",
            world.project_id
        ))
        .await
}

async fn account(db: &PgPool, name: &str, administrator: bool) -> Actor {
    let id = people::create(&Actor::System, db, name, administrator).await.unwrap();
    Actor::User(UserActor { id, name: name.to_owned(), administrator })
}

/// The lead of another project, who annotates there.
async fn stranger(db: &PgPool) -> Actor {
    let stranger = account(db, "stranger", false).await;
    let other = world::project(db, OTHER).await;
    members::add(&Actor::System, db, OTHER, "stranger", Role::Lead).await.unwrap();
    world::photos(db, other, &["elsewhere.jpg"]).await;
    annotate::claim(&stranger, db, OTHER, 1, &[]).await.unwrap();
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
