//! What a lead does about an annotator.

use kenami_domain::view::{project::Project, report::AnnotatorReport};
use leptos::{either::Either, prelude::*};

use super::doubts::{DoubtForm, Doubts, Draft};
use crate::{
    api::{
        quiz::GrantQuiz,
        reports::{PauseAnnotator, UndoDoubt},
    },
    components::button::{Button, Weight},
    pages::project::use_project,
};

/// Pause, quiz and doubts.
#[component]
pub fn Oversight(
    /// The project.
    project: Project,
    /// The report.
    report: AnnotatorReport,
    /// Pauses and resumes.
    pause: ServerAction<PauseAnnotator>,
    /// Lets in, or allows another quiz.
    grant: ServerAction<GrantQuiz>,
    /// Takes a doubt back.
    undo: ServerAction<UndoDoubt>,
    /// The doubt that is being written.
    draft: Draft,
) -> impl IntoView {
    let (key, id) = (project.key.clone(), report.annotator.id);
    let current = use_project().key;
    let paused = report.annotator.paused_at.is_some();
    let set = move |paused: bool| {
        pause.dispatch(PauseAnnotator { key: current.get_untracked(), annotator_id: id, paused });
    };
    let failed = report.quizzes.last().is_some_and(|quiz| !quiz.passed)
        && !report.annotator.quiz_excused
        && report.annotator.photos_done == 0;
    let allow = move |key: String, pass: bool| {
        grant.dispatch(GrantQuiz { key, annotator_id: id, pass });
    };
    let (of_in, of_again) = (key.clone(), key);
    view! {
        <section class="card">
            <h2>{t!("Pause")}</h2>
            <p class="quiet">{if paused {
                t!("They are given no photos. Answers that were under way have been kept.")
            } else {
                t!("On pause they are given no photos, and those that they hold go back to the queue. The page tells them.")
            }}</p>
            <div class="row">
                // Two buttons: what a button does on a click stays when the page is rendered again.
                {if paused {
                    Either::Left(view! {
                        <Button weight=Weight::Primary busy=pause.pending() on:click=move |_| set(false)>{t!("End the pause")}</Button>
                    })
                } else {
                    Either::Right(view! {
                        <Button weight=Weight::Danger busy=pause.pending() on:click=move |_| set(true)>{t!("Pause")}</Button>
                    })
                }}
            </div>
        </section>
        {failed.then(|| view! {
            <section class="card">
                <h2>{t!("Failed the quiz")}</h2>
                <p class="quiet">{t!("Let them annotate all the same, or let them take one more quiz with other photos.")}</p>
                <div class="row">
                    <Button busy=grant.pending() on:click=move |_| allow(of_again.clone(), false)>{t!("Allow another quiz")}</Button>
                    <Button busy=grant.pending() on:click=move |_| allow(of_in.clone(), true)>{t!("Let them in")}</Button>
                </div>
            </section>
        })}
        <section class="card">
            <h2>{t!("Labels in doubt")}</h2>
            <p class="quiet">
                {t!("Labels in doubt are kept and do not count: in no consensus, no dataset, no agreement. Their photos go back to the queue, for others. You can take a doubt back at any time.")}
            </p>
            <DoubtForm project=project.clone() annotator_id=id draft/>
            <Doubts project annotator_id=id doubts=report.doubts undo/>
        </section>
    }
}
