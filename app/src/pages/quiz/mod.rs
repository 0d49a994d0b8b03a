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
    view::{guidelines::Guideline, project::Project, quiz::QuizState},
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
    let state = Resource::new(move || project.key.get(), api::quiz::read_quiz);
    let preferences = Resource::new(|| (), |()| api::people::my_preferences());
    view! {
        <Title text="Quiz"/>
        <Transition fallback=|| view! { <Loading/> }>
            {move || Suspend::new(async move {
                match (project.resource.await, guides.await, state.await) {
                    (Ok(project), Ok(guides), Ok(state)) => {
                        // It can be answered without them.
                        let chosen = preferences.await.unwrap_or_default().keys;
                        let layout = Layout::new(Page::Annotate, &chosen);
                        Either::Left(view! { <Quiz project guides layout state/> })
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
    /// What keys mean to the annotator.
    layout: Layout,
    /// Where the annotator stands.
    state: QuizState,
) -> impl IntoView {
    let desk = Desk::new(project.key.clone(), guides, layout, state);
    provide_context(desk);
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
    let photos = text::count(i64::from(state.length), "photo", "photos");
    if !state.due {
        return view! {
            <PageHeader title="Quiz"/>
            <section class="card quiz-card">
                <p>"There is no quiz for you to take now."</p>
                <div class="row"><a class="button button-primary" href=annotate>"Annotate"</a></div>
            </section>
        }
        .into_any();
    }
    let guidelines = format!("/p/{}/guidelines", desk.key.get_value());
    view! {
        <PageHeader title="Quiz"/>
        <section class="card quiz-card">
            <h2>"Before your first photo"</h2>
            <p>{format!(
                "You answer {photos} whose right answers are known. After a wrong answer you see what is right and the rule. {} of the answers must be right.",
                text::percent(state.pass_mark, 0),
            )}</p>
            <p>"Your answers here are no labels. Read the "<a href=guidelines>"guidelines"</a>" first; they also show beside each photo."</p>
            <ErrorAlert error=desk.error/>
            <div class="row">
                <Button weight=Weight::Primary busy=desk.busy on:click=move |_| desk.begin()>"Begin " <kbd>"Enter"</kbd></Button>
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
        desk.question
            .with(|question| question.as_ref().map(|question| format!("Photo {} of {}", question.number, question.of)))
    };
    view! {
        <div class="annotate annotate-guide full-window quiz">
            <h1 class="visually-hidden">"Quiz"</h1>
            <div class="annotate-stage"><Photo/></div>
            <div class="annotate-side">
                <div class="status"><div class="status-line"><b>"Quiz"</b><span role="status">{number}</span></div></div>
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
