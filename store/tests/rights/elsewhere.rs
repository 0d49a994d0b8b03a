//! Ids are numbers that anybody can guess: what is not the actor's own, or of another project, is out of reach.

use kenami_domain::{
    answer::Answer,
    dataset::Policy,
    roles::Role,
    schema::Texts,
    view::{
        dataset::FreezeInput,
        errors::Sample,
        grid::{GridAnswer, GridSubmission},
        guidelines::{AmendExample, DraftEdit, ExampleEdit, RuleEdit},
        quiz::QuizSubmission,
        report::DoubtInput,
        review::{Cause, DecisionInput},
        run::TrainInput,
    },
};
use kenami_store::{
    annotate, datasets,
    error::Error,
    experiments, gold, grid, guidelines, members, oversight, photos, quiz, reports, review,
    rights::Operation,
    runs::{self, MistakeFilter},
    schema_changes, suggestions, tokens,
};
use sqlx::PgPool;

use crate::{
    calls::{Call, calls},
    ground::{Ground, OTHER, Who},
    world::{PETS, submission},
};

const ANNOTATOR: Who = Who::Member(Role::Annotator);

/// Calls in the stranger's own project with ids and names of the other one's.
fn of_another_project() -> Vec<Call> {
    calls! { actor, g;
        ManageMembers: members::set_role(OTHER, g.user_id(ANNOTATOR), Role::Lead);
        ManageMembers: members::remove(OTHER, g.user_id(ANNOTATOR));
        ReadPhotos: photos::get(OTHER, g.photo_id);
        ReadPhotos: photos::file_of(OTHER, g.photo_id);
        EditGuidelines: guidelines::save_draft(OTHER, "ear", DraftEdit {
            introduction: Texts::default(),
            rules: vec![RuleEdit {
                value: "drop".to_owned(),
                rule: Texts::default(),
                examples: vec![ExampleEdit { photo_id: g.photo_id, caption: String::new() }],
            }],
            change_note: String::new(),
            based_on: None,
        });
        EditGuidelines: guidelines::amend(OTHER, "ear", &[AmendExample {
            photo_id: g.photo_id, value: Some("drop".to_owned()),
        }]);
        Annotate: annotate::submit(OTHER, submission(g.claim_id, "drop", "short"));
        Annotate: annotate::undo(OTHER, g.claim_id);
        Annotate: grid::submit(OTHER, &GridSubmission {
            attribute: "ear".to_owned(), source_id: 1, duration_ms: None, guideline_version: None,
            answers: vec![GridAnswer {
                claim_id: g.claim_id, answer: Answer::from("drop"), idempotency_key: uuid::Uuid::new_v4(),
            }],
        });
        ManageSuggestions: suggestions::set_viewer(OTHER, g.user_id(ANNOTATOR), false);
        ReadDisagreements: review::disagreement(OTHER, g.photo_id, "ear");
        ReadDisagreements: review::decisions(OTHER, g.photo_id, "ear");
        Decide: review::decide_many(OTHER, &[DecisionInput {
            photo_id: g.photo_id, attribute: "ear".to_owned(), answer: Answer::from("erect"),
            cause: Cause::Slip, reason: String::new(),
        }]);
        Decide: review::decide(OTHER, DecisionInput {
            photo_id: g.photo_id, attribute: "ear".to_owned(), answer: Answer::from("erect"),
            cause: Cause::Slip, reason: String::new(),
        });
        Decide: review::reopen(OTHER, g.photo_id, "ear");
        ManageGold: gold::make(OTHER, g.photo_id, "ear");
        ManageGold: gold::remove(OTHER, g.photo_id, "ear");
        ReadReports: reports::annotator(OTHER, g.annotator_id);
        OverseeAnnotators: oversight::pause(OTHER, g.annotator_id);
        OverseeAnnotators: oversight::resume(OTHER, g.annotator_id);
        ManageProject: schema_changes::undo(OTHER, 1);
        OverseeAnnotators: oversight::doubt_count(OTHER, g.annotator_id, &DoubtInput::default());
        OverseeAnnotators: oversight::doubt(OTHER, g.annotator_id, &DoubtInput::default());
        OverseeAnnotators: oversight::undo_doubt(OTHER, g.annotator_id, 1);
        OverseeAnnotators: quiz::grant(OTHER, g.annotator_id, true);
        Annotate: quiz::answer(OTHER, &QuizSubmission {
            quiz_id: g.quiz_id, photo_id: g.photo_id, answers: Vec::new(),
        });
        Freeze: datasets::freeze(OTHER, FreezeInput {
            name: "v2".to_owned(), policy: Policy::Crowdlab, run: Some("first".to_owned()), seed: 0,
        });
        ReadDatasets: datasets::get(OTHER, "v1");
        ListProjects: datasets::find("v1");
        ReadDatasets: datasets::find("other/v1");
        ReadDatasets: datasets::manifest(OTHER, "v1");
        ExportDataset: datasets::items(OTHER, "v1");
        ExportDataset: datasets::items_page(OTHER, "v1", None, 10);
        Train: runs::create(OTHER, TrainInput {
            dataset_id: g.dataset_id, name: String::new(), config: String::new(),
        });
        ReadDatasets: runs::get(OTHER, g.run_id);
        ReadDatasets: runs::find(OTHER, "first");
        ReadDatasets: runs::artifacts(OTHER, g.run_id);
        ReadDatasets: runs::file(OTHER, g.run_id, "curves.csv");
        ReadDatasets: runs::errors(OTHER, g.run_id, Sample::Unseen);
        ReadDatasets: runs::mistakes(OTHER, g.run_id, &MistakeFilter {
            head: "ear".to_owned(), ..MistakeFilter::default()
        }, 10);
        Train: runs::cancel(OTHER, g.run_id);
        ReadDatasets: experiments::get(OTHER, g.experiment_id);
        Train: experiments::cancel(OTHER, g.experiment_id);
    }
}

/// Calls of a lead with what is the annotator's own, of the same project.
fn of_somebody_else() -> Vec<Call> {
    calls! { actor, g;
        OwnAccount: tokens::revoke(g.own(g.actor(ANNOTATOR)).token_id);
        Annotate: annotate::submit(PETS, submission(g.claim_id, "drop", "short"));
        Annotate: annotate::undo(PETS, g.claim_id);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_not_theirs_is_not_found_and_stays(db: PgPool) {
    let ground = Ground::new(db).await;
    // A finished run would be worth having.
    sqlx::query("UPDATE runs SET artifacts = 'runs/1', finished_at = now()").execute(&ground.db).await.unwrap();
    let before = ground.digest().await;
    let mut wrong = Vec::new();
    let lead = Who::Member(Role::Lead);
    for (who, calls) in [(Who::Stranger, of_another_project()), (lead, of_somebody_else())] {
        for Call { name, run, .. } in calls {
            match run(ground.actor(who), &ground).await {
                Err(Error::NotFound(what)) if what != "project" => {}
                other => wrong.push(format!("{name} by {who:?}: {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(ground.digest().await, before);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_claim_is_given_back_by_its_holder_alone(db: PgPool) {
    let ground = Ground::new(db).await;
    let before = ground.digest().await;
    let claims = [ground.claim_id];
    annotate::release(ground.actor(Who::Stranger), &ground.db, OTHER, &claims).await.unwrap();
    annotate::release(ground.actor(Who::Member(Role::Lead)), &ground.db, PETS, &claims).await.unwrap();
    assert_eq!(ground.digest().await, before);
    annotate::release(ground.actor(ANNOTATOR), &ground.db, PETS, &claims).await.unwrap();
    assert_ne!(ground.digest().await, before);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_run_of_another_project_lends_no_weights(db: PgPool) {
    let ground = Ground::new(db).await;
    sqlx::query("UPDATE runs SET artifacts = 'runs/1', finished_at = now()").execute(&ground.db).await.unwrap();
    let input = TrainInput {
        dataset_id: ground.dataset_id,
        name: String::new(),
        config: format!("[model]\nweights = \"run:{}\"", ground.run_id),
    };
    let refused = runs::create(ground.actor(Who::Stranger), &ground.db, OTHER, input.clone()).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "config", .. })), "{refused:?}");
    runs::create(ground.actor(Who::Member(Role::Lead)), &ground.db, PETS, input).await.unwrap();
}
