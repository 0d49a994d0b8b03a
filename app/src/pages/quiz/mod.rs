//! The quiz: gold photos before the first real one, with the rule after a wrong answer.
//!
//! - [`desk`]: what the page knows and does.
//! - `question`: the photo with its answers.
//! - `feedback`: what is right, and the score.

mod desk;
mod feedback;
mod question;

use kenami_domain::{
    keys::{Layout, Page},
    view::{guidelines::Guideline, people::Preferences, project::Project, quiz::QuizState},
};
use leptos::{either::Either, ev, prelude::*};
use leptos_meta::Title;

use self::{
    desk::{Desk, Stage},
    feedback::{Corrections, Score},
    question::{Panel, Photo, Rules},
};
use crate::{
    api,
    components::{
        alert::{ErrorAlert, ErrorView, Loading},
        button::{Button, Weight},
        page::PageHeader,
    },
    pages::project::use_project,
    text,
};

/// The page.
#[component]
pub fn QuizPage() -> impl IntoView {
    let project = use_project();
    let guides = Resource::new(move || project.key.get(), api::guidelines::guidelines);
    let state = Resource::new(
        move || project.key.get(),
        |key| async move {
            let state = api::quiz::read_quiz(key).await?;
            let preferences = api::people::my_preferences().await?;
            Ok::<_, api::ApiError>((state, preferences))
        },
    );
    view! {
        <Title text=t!("Quiz")/>
        <Transition fallback=|| view! { <Loading/> }>
            {move || Suspend::new(async move {
                match (project.resource.await, guides.await, state.await) {
                    (Ok(project), Ok(guides), Ok((state, preferences))) => {
                        Either::Left(view! { <Quiz project guides state preferences/> })
                    }
                    (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                        Either::Right(view! { <ErrorView error/> })
                    }
                }
            })}
        </Transition>
    }
}

#[component]
fn Quiz(
    /// The project.
    project: Project,
    /// Guidelines of the annotated attributes.
    guides: Vec<Guideline>,
    /// Where the annotator stands.
    state: QuizState,
    /// Their keys and habits.
    preferences: Preferences,
) -> impl IntoView {
    let layout = StoredValue::new(Layout::new(Page::Annotate, &preferences.keys));
    let desk = Desk::new(project.key.clone(), guides, state, layout);
    provide_context(desk);
    provide_context(layout);
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, move |event| desk.on_key(&event));
        on_cleanup(move || handle.remove());
    });
    let stage = Memo::new(move |_| desk.stage());
    move || match stage.get() {
        Stage::Question | Stage::Feedback => view! { <Asking/> }.into_any(),
        Stage::Before => view! { <Before desk/> }.into_any(),
        Stage::After => view! { <Score desk/> }.into_any(),
    }
}

/// What comes, and the button that begins it.
#[component]
fn Before(
    /// The quiz.
    desk: Desk,
) -> impl IntoView {
    let state = desk.state.get_untracked();
    let annotate = format!("/p/{}/annotate", desk.key.get_value());
    if !state.due {
        return view! {
            <PageHeader title=t!("Quiz")/>
            <section class="card quiz-card">
                <p>{t!("There is no quiz for you to take now.")}</p>
                <div class="row"><a class="button button-primary" href=annotate>{t!("Annotate")}</a></div>
            </section>
        }
        .into_any();
    }
    let guidelines = format!("/p/{}/guidelines", desk.key.get_value());
    view! {
        <PageHeader title=t!("Quiz")/>
        <section class="card quiz-card">
            <h2>{t!("Before your first photo")}</h2>
            <p>{n!(
                i64::from(state.length),
                "You answer {count} photo whose right answers are known. After a wrong answer you see what is right and the rule. {share} of the answers must be right.",
                "You answer {count} photos whose right answers are known. After a wrong answer you see what is right and the rule. {share} of the answers must be right.",
                share = text::percent(state.pass_mark, 0)
            )}</p>
            <p>{text::arranged(t!("Your answers here are no labels. Read the {guidelines} first; they also show beside each photo."), [("guidelines", view! { <a href=guidelines>{t!("guidelines")}</a> }.into_any())])}</p>
            <ErrorAlert error=desk.error/>
            <div class="row">
                <Button weight=Weight::Primary busy=desk.busy on:click=move |_| desk.begin()>{t!("Begin")} " " <kbd>"Enter"</kbd></Button>
            </div>
        </section>
    }
    .into_any()
}

/// The photo with the questions, or with what was wrong.
#[component]
fn Asking() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let asking = Memo::new(move |_| desk.stage() == Stage::Question);
    let number = move || {
        desk.question.with(|question| {
            question
                .as_ref()
                .map(|question| t!("Photo {number} of {total}", number = question.number, total = question.of))
        })
    };
    view! {
        <div class="annotate annotate-guide full-window quiz">
            <h1 class="visually-hidden">{t!("Quiz")}</h1>
            <div class="annotate-stage"><Photo/></div>
            <div class="annotate-side">
                <div class="status"><div class="status-line"><b>{t!("Quiz")}</b><span role="status">{number}</span></div></div>
                <ErrorAlert error=desk.error/>
                {move || if asking.get() {
                    Either::Left(view! { <Panel/> <Rules/> })
                } else {
                    Either::Right(view! { <Corrections/> })
                }}
            </div>
        </div>
    }
}
