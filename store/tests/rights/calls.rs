//! Every public operation of the store as a call, with the right that it must ask for.

use std::{collections::BTreeMap, time::Duration};

use futures::future::BoxFuture;
use kenami_domain::{
    answer::Answer,
    csvio::LabelRow,
    experiment::Results,
    roles::Role,
    schema::{Attribute, AttributeKind, Prior, Texts},
    view::{
        dataset::FreezeInput,
        errors::Sample,
        experiment::ExperimentInput,
        gold::GoldRow,
        grid::{GridAnswer, GridSubmission},
        guidelines::{AmendExample, DoubtScope, DraftEdit, GuidelineText},
        job::JobKind,
        project::ProjectSettings,
        queue::QueueOrder,
        quiz::QuizSubmission,
        report::DoubtInput,
        review::{Cause, DecisionInput, DisagreementFilter},
        rounds::RoundInput,
        run::{CurvePoint, TrainInput},
        schema_change::{NewValue, SchemaChange},
        suggestions::{PredictionRow, SourceInput, SourceKind},
    },
};
use kenami_store::{
    actor::Actor,
    annotate, curves, datasets,
    error::Result,
    experiments, gold,
    grid::{self, ScreenQuery},
    guidelines,
    jobs::{self, JobProgress, Outcome},
    labels, links, members, oversight, people,
    photos::{self, PhotoQuery},
    preferences, projects, queue, quiz, reports, review,
    rights::Operation,
    rounds,
    runs::{self, MistakeFilter, Prediction},
    schema, schema_changes, suggestions, tokens,
};
use serde_json::json;

use crate::{
    ground::{Ground, Who, text},
    world::{PETS, submission},
};

/// One more value of the attribute `ear`.
fn add_value(key: &str) -> SchemaChange {
    let value = NewValue { key: key.to_owned(), names: Texts::default() };
    SchemaChange::AddValue { attribute: "ear".to_owned(), value }
}

type Run = for<'a> fn(&'a Actor, &'a Ground) -> BoxFuture<'a, Result<()>>;

/// One operation.
pub struct Call {
    /// Module and function.
    pub name: String,
    /// What it names itself in the table of rights.
    pub operation: Operation,
    pub run: Run,
}

/// `Operation: module::function(arguments after actor and database);`, with the actor and the ground under the names given.
macro_rules! calls {
    ($actor:ident, $ground:ident; $($operation:ident: $module:ident::$function:ident($($argument:expr),*);)*) => {
        vec![$(Call {
            name: concat!(stringify!($module), "::", stringify!($function)).to_owned(),
            operation: Operation::$operation,
            run: |$actor, $ground| {
                Box::pin(async move { $module::$function($actor, &$ground.db, $($argument),*).await.map(drop) })
            },
        }),*]
    };
}

pub(crate) use calls;

/// Calls that take no actor: they are how one becomes an actor.
fn without_actor() -> Vec<Call> {
    let call = |name: &str, operation, run| Call { name: name.to_owned(), operation, run };
    vec![
        call("people::sign_in", Operation::SignIn, |_, g| {
            // Anything but rights may be wrong with it; "sign in first" is its answer to a wrong password.
            Box::pin(async move { people::sign_in(&g.db, "nobody", "no password").await.map(drop).or(Ok(())) })
        }),
        call("people::session_user", Operation::SignIn, |_, g| {
            Box::pin(async move { people::session_user(&g.db, g.bystander, 0).await.map(drop) })
        }),
        call("tokens::authenticate", Operation::SignIn, |_, g| {
            Box::pin(async move { tokens::authenticate(&g.db, "kenami_no").await.map(drop) })
        }),
        call("links::offer", Operation::UseLink, |actor, g| {
            Box::pin(async move { links::offer(&g.db, &g.own(actor).secret).await.map(drop) })
        }),
    ]
}

/// All of them.
pub fn all() -> Vec<Call> {
    let mut calls = without_actor();
    calls.extend(people_and_projects());
    calls.extend(photos_and_labels());
    calls.extend(datasets_and_jobs());
    calls
}

fn people_and_projects() -> Vec<Call> {
    calls! { actor, g;
        OwnAccount: people::me();
        OwnAccount: people::change_password(None, "a new long password");
        OwnAccount: people::set_language(None);
        ManageUsers: people::list();
        ManageUsers: people::set_disabled(g.user_id(Who::Disabled), false);
        ManageUsers: people::create("newcomer", false);
        Bootstrap: people::ensure("demo");
        OwnAccount: preferences::get();
        OwnAccount: preferences::save_keys(&kenami_domain::keys::Chosen::new());
        OwnAccount: preferences::save_auto_advance(false);
        OwnAccount: tokens::create("script");
        OwnAccount: tokens::list();
        OwnAccount: tokens::revoke(g.own(actor).token_id);
        Bootstrap: tokens::create_for("bystander");
        Bootstrap: links::first_administrator();
        ManageUsers: links::sign_in_link(g.bystander);
        Bootstrap: links::sign_in_link_for("bystander");
        ManageMembers: links::invite(PETS, Role::Lead, 7);
        ManageMembers: links::open_invitations(PETS);
        ManageMembers: links::revoke(g.own(actor).invitation_id);
        ListProjects: projects::list();
        ReadProject: projects::get(PETS);
        CreateProject: projects::create("new", "New");
        ImportPhotos: projects::ensure(PETS);
        ManageProject: projects::settings(PETS);
        ManageProject: projects::update(PETS, ProjectSettings {
            name: "Pets".to_owned(), description: String::new(), overlap: 2, overlap_share: 1.0, extra_votes: 0,
            queue_order: QueueOrder::Order, lease_seconds: 900, gold: Default::default(),
        });
        ManageProject: queue::reprioritise(PETS);
        ImportPhotos: queue::photos_imported(PETS);
        Work: queue::catch_up();
        ReadProject: projects::progress(PETS);
        ManageMembers: members::list(PETS);
        ManageMembers: members::add(PETS, "bystander", Role::Annotator);
        ManageMembers: members::set_role(PETS, g.bystander, Role::Reviewer);
        ManageMembers: members::remove(PETS, g.bystander);
        ReadProject: schema::attributes(PETS);
        ImportPhotos: schema::ensure_attribute(PETS, &Attribute {
            key: "species".to_owned(), names: Texts::default(), kind: AttributeKind::Given, values: Vec::new(),
        });
        ImportPhotos: schema::set_priors(PETS, &[Prior {
            given_attribute: "breed".to_owned(), given_value: "pug".to_owned(), attribute: "ear".to_owned(),
            distribution: BTreeMap::from([("drop".to_owned(), 1.0)]),
        }]);
        ReadProject: schema::priors(PETS);
    }
}

fn photos_and_labels() -> Vec<Call> {
    let mut calls = calls! { actor, g;
        ImportPhotos: photos::known_names(PETS, &["a.jpg".to_owned()]);
        ImportPhotos: photos::add_batch(PETS, Vec::new());
        ReadPhotos: photos::list(PETS, PhotoQuery::default());
        ReadPhotos: photos::get(PETS, g.photo_id);
        ReadPhotos: photos::file_of(PETS, g.photo_id);
        ReadGuidelines: guidelines::all(PETS);
        ReadGuidelines: guidelines::get(PETS, "ear");
        ReadGuidelines: guidelines::version(PETS, "ear", 1);
        EditGuidelines: guidelines::save_draft(PETS, "ear", draft());
        EditGuidelines: guidelines::discard_draft(PETS, "ear");
        EditGuidelines: guidelines::save_draft(PETS, "ear", draft());
        EditGuidelines: guidelines::amend(PETS, "ear", &[AmendExample {
            photo_id: g.photo_id, value: Some("drop".to_owned()),
        }]);
        EditGuidelines: guidelines::scope_count(PETS, "ear", &DoubtScope::default());
        EditGuidelines: guidelines::publish(PETS, "ear", "Say it better", None);
        ReadDisagreements: guidelines::effects(PETS, "ear");
        EditGuidelines: guidelines::import(PETS, "coat", &GuidelineText { rules: Vec::new(), ..text() });
        Annotate: annotate::claim(PETS, 2, &[]);
        Annotate: annotate::submit(PETS, submission(g.claim_id, "drop", "short"));
        Annotate: annotate::undo(PETS, g.claim_id);
        Annotate: annotate::release(PETS, &[g.claim_id]);
        OwnAccount: annotate::release_all();
        Annotate: annotate::my_progress(PETS);
        Annotate: annotate::history(PETS, 5);
        ManageSuggestions: suggestions::import(PETS, "file.csv", 0.1, &[PredictionRow {
            image: "a.jpg".to_owned(), attribute: "ear".to_owned(), answer: "drop".to_owned(), probability: 0.9,
        }]);
        ManageSuggestions: suggestions::switch_on(PETS, &SourceInput {
            kind: SourceKind::Standards, run: None, control_share: 0.1,
        });
        ManageSuggestions: suggestions::source(PETS);
        ManageSuggestions: suggestions::report(PETS);
        ManageSuggestions: suggestions::set_viewer(PETS, g.user_id(Who::Member(Role::Annotator)), true);
        Annotate: grid::screen(PETS, &ScreenQuery { attribute: "ear".to_owned(), want: 1, ..ScreenQuery::default() });
        Annotate: grid::submit(PETS, &of_grid(g).await);
        ManageSuggestions: suggestions::switch_off(PETS);
        ImportLabels: labels::import(PETS, &[LabelRow {
            line: 2, image: "a.jpg".to_owned(), annotator: "x".to_owned(), attribute: "ear".to_owned(),
            answer: Answer::Unsure, duration_ms: None, note: None,
        }]);
        ExportLabels: labels::export(PETS);
        ExportLabels: labels::export_page(PETS, None, 10);
        ReadDisagreements: review::disagreements(PETS, &DisagreementFilter::default(), 10);
        ReadDisagreements: review::disagreement(PETS, g.photo_id, "ear");
        ReadDisagreements: review::decisions(PETS, g.photo_id, "ear");
        ReadDisagreements: review::pairs(PETS);
        ReadDisagreements: review::agreement(PETS);
        ReadDisagreements: review::report(PETS, None);
        ReadDisagreements: review::suspects(PETS);
        Decide: review::find_suspects(PETS);
        Decide: review::decide_many(PETS, &[DecisionInput {
            photo_id: g.photo_id, attribute: "ear".to_owned(), answer: Answer::from("erect"),
            cause: Cause::Slip, reason: String::new(),
        }]);
        Decide: review::decide(PETS, DecisionInput {
            photo_id: g.photo_id, attribute: "ear".to_owned(), answer: Answer::from("erect"),
            cause: Cause::Slip, reason: "Look at the tip".to_owned(),
        });
        ManageGold: gold::make(PETS, g.photo_id, "ear");
        ManageGold: gold::make_many(PETS, 1);
        ManageGold: gold::put(PETS, &[GoldRow {
            line: 2, image: "a.jpg".to_owned(), attribute: "ear".to_owned(), answer: Answer::from("erect"),
            explanation: String::new(),
        }]);
        ManageGold: gold::list(PETS, None, 10);
        ManageGold: gold::summary(PETS);
        ManageGold: gold::remove(PETS, g.photo_id, "ear");
        Decide: review::reopen(PETS, g.photo_id, "ear");
        ReadReports: reports::annotators(PETS);
        ReadReports: reports::annotator(PETS, g.annotator_id);
        Annotate: reports::mine(PETS);
        ReadReports: reports::progress(PETS);
        ManageProject: schema_changes::preview(PETS, &add_value("floppy"));
        ManageProject: schema_changes::apply(PETS, &add_value("floppy"));
        ManageProject: schema_changes::attributes(PETS);
        ManageProject: schema_changes::list(PETS);
        ManageProject: schema_changes::undo(PETS, change(g).await);
        OverseeAnnotators: oversight::pause(PETS, g.annotator_id);
        OverseeAnnotators: oversight::resume(PETS, g.annotator_id);
        OverseeAnnotators: oversight::doubt_count(PETS, g.annotator_id, &DoubtInput::default());
        OverseeAnnotators: oversight::doubt(PETS, g.annotator_id, &DoubtInput::default());
        OverseeAnnotators: oversight::undo_doubt(PETS, g.annotator_id, doubt(g).await);
        Annotate: quiz::state(PETS);
        Annotate: quiz::begin(PETS);
        Annotate: quiz::answer(PETS, &QuizSubmission { quiz_id: g.quiz_id, photo_id: g.photo_id, answers: Vec::new() });
        OverseeAnnotators: quiz::grant(PETS, g.annotator_id, false);
    };
    calls.push(Call {
        name: "links::accept".to_owned(),
        operation: Operation::UseLink,
        run: |actor, g| {
            // A disabled account that is still signed in somewhere is refused, as it should be: it comes as nobody.
            let secret = &g.own(actor).secret;
            let actor = if actor == g.actor(Who::Disabled) { &Actor::Anonymous } else { actor };
            Box::pin(async move {
                links::accept(actor, &g.db, secret, Some("guest"), Some("a long password")).await.map(drop)
            })
        },
    });
    calls
}

/// A doubt about the annotator's labels that stands; 0, which is none, where there is none.
async fn doubt(g: &Ground) -> i64 {
    let newest = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM annotator_doubts WHERE undone_at IS NULL");
    newest.fetch_one(&g.db).await.expect("a number")
}

/// A change of the schema that stands; 0, which is none, where there is none.
async fn change(g: &Ground) -> i64 {
    let newest = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM schema_changes WHERE undone_at IS NULL");
    newest.fetch_one(&g.db).await.expect("a number")
}

/// The answer to the photo that the annotator has in hand, as if it had been on a screen.
async fn of_grid(g: &Ground) -> GridSubmission {
    let source_id = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM suggestion_sources").fetch_one(&g.db).await;
    let idempotency_key = uuid::Uuid::new_v4();
    GridSubmission {
        attribute: "ear".to_owned(),
        source_id: source_id.expect("a number"),
        answers: vec![GridAnswer { claim_id: g.claim_id, answer: Answer::from("drop"), idempotency_key }],
        duration_ms: None,
        guideline_version: None,
    }
}

fn draft() -> DraftEdit {
    let change_note = "Say it better".to_owned();
    DraftEdit { introduction: Texts::en("Better."), rules: Vec::new(), change_note, based_on: None }
}

fn datasets_and_jobs() -> Vec<Call> {
    const LEASE: Duration = Duration::from_secs(60);
    calls! { actor, g;
        Freeze: datasets::freeze(PETS, FreezeInput {
            name: "v2".to_owned(), policy: Default::default(), run: None, seed: 0,
        });
        ReadDatasets: datasets::list(PETS);
        ReadDatasets: datasets::get(PETS, "v1");
        ListProjects: datasets::find("v1");
        ReadDatasets: datasets::find("pets/v1");
        ReadDatasets: datasets::manifest(PETS, "v1");
        ExportDataset: datasets::items(PETS, "v1");
        ExportDataset: datasets::items_page(PETS, "v1", None, 10);
        Train: runs::create(PETS, TrainInput { dataset_id: g.dataset_id, name: String::new(), config: String::new() });
        ReadDatasets: runs::list(PETS);
        ReadDatasets: runs::get(PETS, g.run_id);
        ReadDatasets: runs::find(PETS, "first");
        ReadDatasets: runs::artifacts(PETS, g.run_id);
        ReadDatasets: runs::file(PETS, g.run_id, "curves.csv");
        ReadDatasets: runs::mistakes(PETS, g.run_id, &MistakeFilter {
            head: "ear".to_owned(), answer: None, predicted: None, split: None, cursor: None,
        }, 10);
        ReadDatasets: curves::of_job(g.job_id);
        Work: runs::training(g.run_id);
        Work: runs::add_curves(g.run_id, &[CurvePoint {
            epoch: 1, split: "train".to_owned(), series: "loss/ear".to_owned(), value: 0.5,
        }]);
        Work: runs::store_predictions(g.run_id, &[Prediction {
            position: 0, attribute: "ear".to_owned(), distribution: BTreeMap::from([("drop".to_owned(), 1.0)]),
        }]);
        Work: runs::store_held_out(g.run_id, &[Prediction {
            position: 0, attribute: "ear".to_owned(), distribution: BTreeMap::from([("drop".to_owned(), 1.0)]),
        }]);
        Work: runs::finish(g.run_id, json!({ "heads": {}, "seconds": 1, "images_per_second": 1 }), "runs/1");
        ReadDatasets: runs::errors(PETS, g.run_id, Sample::Unseen);
        Train: runs::cancel(PETS, g.run_id);
        ReadDatasets: rounds::list(PETS);
        Train: rounds::begin(PETS, RoundInput { order: QueueOrder::Entropy, config: String::new() });
        Train: experiments::create(PETS, ExperimentInput {
            dataset_id: g.dataset_id, seeds: 2, config: String::new(), curve: false,
        });
        ReadDatasets: experiments::list(PETS);
        ReadDatasets: experiments::get(PETS, g.experiment_id);
        Train: experiments::cancel(PETS, g.experiment_id);
        Work: experiments::to_run(g.experiment_id);
        Work: experiments::report(g.experiment_id, &Results::default());
        ImportPhotos: jobs::create(PETS, JobKind::Import, json!({}));
        ExportDataset: jobs::create(PETS, JobKind::Export, json!({}));
        Train: jobs::create(PETS, JobKind::Train, json!({}));
        Train: jobs::create(PETS, JobKind::Predict, json!({}));
        ReadJobs: jobs::get(g.job_id);
        ReadJobs: jobs::list(PETS, 10);
        CancelJob: jobs::cancel(g.job_id);
        Work: jobs::claim("worker", LEASE, 3);
        Work: jobs::heartbeat(g.job_id, "worker", LEASE, JobProgress::default());
        Work: jobs::finish(g.job_id, "worker", Outcome::Cancelled);
        Work: jobs::release("worker");
    }
}
