//! Annotators: the list, one's report, and what a lead does about them; one's own report.

mod doubts;
mod oversight;
mod report;

use kenami_domain::view::report::AnnotatorRow;
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;

use self::{doubts::Draft, oversight::Oversight, report::Report};
use super::project::use_project;
use crate::{
    api::{
        ApiError,
        quiz::GrantQuiz,
        reports::{PauseAnnotator, UndoDoubt, annotators, my_report, read_annotator},
    },
    components::{
        alert::{EmptyState, ErrorAlert},
        loaded::{loaded, loaded_both},
        page::{PageHeader, Table},
        time::Ago,
    },
    text,
};

/// Everybody who labels in the project.
#[component]
pub fn AnnotatorsPage() -> impl IntoView {
    let project = use_project();
    let list = Resource::new(move || project.key.get(), annotators);
    view! {
        <PageHeader title=t!("Annotators") lead=t!("How fast and how well everybody answers. Choose a name for the whole report.")/>
        {loaded(list, move |rows| if rows.is_empty() {
            Either::Left(view! { <EmptyState title=t!("Nobody has answered a photo yet")/> })
        } else {
            let rows = rows
                .into_iter()
                .map(|row| view! { <Row row key=project.key.get_untracked()/> })
                .collect_view();
            Either::Right(view! {
                <Table caption=t!("Annotators")>
                    <thead><tr>
                        <th scope="col">{t!("Name")}</th><th scope="col" class="numeric">{t!("Photos")}</th>
                        <th scope="col" class="numeric">{t!("Median a photo")}</th><th scope="col" class="numeric">{t!("Right on gold")}</th>
                        <th scope="col">{t!("Quiz")}</th><th scope="col">{t!("Last photo")}</th><th scope="col">{t!("Now")}</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </Table>
            })
        })}
    }
}

#[component]
fn Row(
    /// The annotator.
    row: AnnotatorRow,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let gold = match row.gold.share() {
        Some(share) => t!(
            "{right} of {answers} ({share})",
            right = row.gold.right,
            answers = row.gold.answers,
            share = text::percent(share, 0)
        ),
        None => "—".to_owned(),
    };
    let quiz = quiz_words(&row);
    let badges = view! { <Badges row=row.clone()/> };
    view! {
        <tr>
            <th scope="row"><a href=format!("/p/{key}/annotators/{}", row.id)>{row.name}</a></th>
            <td class="numeric">{text::number(row.photos_done)}</td>
            <td class="numeric">{row.median_ms.map_or_else(|| "—".to_owned(), text::duration)}</td>
            <td class="numeric">{gold}</td>
            <td>{quiz}</td>
            <td>{row.last_at.map(|at| view! { <Ago at/> })}</td>
            <td>{badges}</td>
        </tr>
    }
}

fn quiz_words(row: &AnnotatorRow) -> String {
    match &row.quiz {
        _ if row.quiz_excused => t!("let in").to_owned(),
        Some(quiz) if quiz.passed => t!("passed, {share}", share = text::percent(quiz.score, 0)),
        Some(quiz) => t!("failed, {share}", share = text::percent(quiz.score, 0)),
        None => "—".to_owned(),
    }
}

/// What is special about somebody now.
#[component]
fn Badges(
    /// The annotator.
    row: AnnotatorRow,
) -> impl IntoView {
    view! {
        <span class="row annotator-badges">
            {row.paused_at.map(|_| view! { <span class="badge badge-warning">{t!("on pause")}</span> })}
            {row.quiz_waiting.then(|| view! { <span class="badge badge-warning">{t!("waits for you: quiz")}</span> })}
            {(row.doubted > 0).then(|| view! {
                <span class="badge badge-bad">{n!(row.doubted, "{count} label in doubt", "{count} labels in doubt")}</span>
            })}
        </span>
    }
}

/// The report of one annotator, for leads.
#[component]
pub fn AnnotatorPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<i64>().ok())));
    let pause = ServerAction::<PauseAnnotator>::new();
    let grant = ServerAction::<GrantQuiz>::new();
    let undo = ServerAction::<UndoDoubt>::new();
    // Made here: what is loaded again makes its parts anew.
    let draft = Draft::default();
    let versions = move || (pause.version().get(), grant.version().get(), undo.version().get(), draft.changed.get());
    let report = Resource::new(
        move || (project.key.get(), id.get(), versions()),
        |(key, id, _)| async move {
            let id = id.ok_or_else(|| ApiError::NotFound("annotator".to_owned()))?;
            read_annotator(key, id).await
        },
    );
    let error = Signal::derive(move || {
        let of = [pause.value().get(), grant.value().get(), undo.value().get()];
        of.into_iter().flatten().find_map(Result::err)
    });
    view! {
        {loaded_both(project.resource, report, move |project, report| {
            let all = format!("/p/{}/annotators", project.key);
            view! {
            <PageHeader title=report.annotator.name.clone()>
                <a class="button button-quiet" href=all>{t!("All annotators")}</a>
            </PageHeader>
            <Badges row=report.annotator.clone()/>
            <ErrorAlert error/>
            <Report project=project.clone() report=report.clone()/>
            <Oversight project report pause grant undo draft/>
            }
        })}
    }
}

/// One's own report.
#[component]
pub fn MyReportPage() -> impl IntoView {
    let project = use_project();
    let report = Resource::new(move || project.key.get(), my_report);
    view! {
        <PageHeader title=t!("My report") lead=t!("How fast you answer, and how your answers compare.")/>
        {loaded_both(project.resource, report, move |project, report| match report {
            Some(report) => Either::Left(view! { <Report project report/> }),
            None => Either::Right(view! { <EmptyState title=t!("You have not answered a photo yet")/> }),
        })}
    }
}
