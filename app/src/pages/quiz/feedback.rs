//! What is right, and the score.

use kenami_domain::view::{
    guidelines::Guideline,
    quiz::{QuizMark, QuizResult},
};
use leptos::{either::Either, prelude::*};

use super::desk::Desk;
use crate::{
    components::{
        alert::{Alert, ErrorAlert, Tone},
        button::{Button, Weight},
        markdown::{Markdown, Translated},
        page::PageHeader,
        photo::{Variant, media_url},
    },
    text,
};

/// The wrong answers of a photo with what is right and why.
#[component]
pub fn Corrections() -> impl IntoView {
    let desk = expect_context::<Desk>();
    let marks = desk.feedback.with_untracked(|feedback| feedback.as_ref().map(|f| f.marks.clone()).unwrap_or_default());
    let right = marks.iter().filter(|mark| mark.correct).count();
    let cards = marks
        .iter()
        .filter(|mark| !mark.correct)
        .filter_map(|mark| {
            let guide =
                desk.guides.with_value(|guides| guides.iter().find(|g| g.attribute.key == mark.attribute).cloned());
            guide.map(|guide| view! { <Correction mark=mark.clone() guide key=desk.key.get_value()/> })
        })
        .collect_view();
    view! {
        <div class="quiz-corrections" role="status">
            {cards}
            {(right > 0).then(|| view! {
                <p class="quiet">{n!(right as i64, "{count} other answer is right.", "{count} other answers are right.")}</p>
            })}
            <div class="row">
                <Button weight=Weight::Primary on:click=move |_| desk.go_on()>{t!("Go on")} " " <kbd>"Enter"</kbd></Button>
            </div>
        </div>
    }
}

#[component]
fn Correction(
    /// The wrong answer.
    mark: QuizMark,
    /// The attribute's guideline.
    guide: Guideline,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let language = text::language();
    let attribute = &guide.attribute;
    let right = text::answer_name(attribute, &mark.right, language);
    let rule = mark.right.value().and_then(|value| guide.text.rules.iter().find(|rule| rule.value == value));
    let texts = rule.map(|rule| rule.rule.clone()).filter(|texts| texts.get(language).is_some());
    let examples = rule
        .into_iter()
        .flat_map(|rule| &rule.examples)
        .map(|example| {
            let caption = if example.caption.is_empty() { right.clone() } else { example.caption.clone() };
            view! {
                <li><img src=media_url(&key, example.photo.id, Variant::Thumbnail) alt=caption.clone() title=caption width="72" height="72" loading="lazy"/></li>
            }
        })
        .collect_view();
    let nothing = match mark.right.value() {
        None => t!("The part cannot be judged in this photo: it is outside of it, hidden or too small."),
        Some(_) => t!("*No rule is written for this value.*"),
    };
    let words = match texts {
        Some(texts) => Either::Left(view! { <Translated texts/> }),
        None => Either::Right(view! { <Markdown text=nothing.to_owned()/> }),
    };
    let version = guide.current.as_ref().map(|current| t!(", version {version}", version = current.version));
    view! {
        <section class="quiz-correction">
            <h2>{text::attribute_name(attribute, language)}</h2>
            <p>
                {text::arranged(
                    t!("You said {given}. Right is {right}."),
                    [
                        ("given", view! { <b class="quiz-wrong">{text::answer_name(attribute, &mark.given, language)}</b> }.into_any()),
                        ("right", view! { <b class="quiz-right">{right.clone()}</b> }.into_any()),
                    ],
                )}
            </p>
            {(!mark.explanation.is_empty()).then(|| view! { <blockquote class="quiz-why">{mark.explanation.clone()}</blockquote> })}
            <h3>{t!("The rule")}<span class="quiet">{version}</span></h3>
            {words}
            <ul class="guide-examples">{examples}</ul>
        </section>
    }
}

/// The score of the last quiz, and what comes now.
#[component]
pub fn Score(
    /// The quiz.
    desk: Desk,
) -> impl IntoView {
    let state = desk.state.get_untracked();
    let Some(result) = state.results.last().cloned() else { return ().into_any() };
    let annotate = format!("/p/{}/annotate", desk.key.get_value());
    let (title, next) = if !state.due {
        let words = if result.passed { t!("You passed") } else { t!("A lead lets you in") };
        (words, view! { <a class="button button-primary" href=annotate>{t!("Annotate")}</a> }.into_any())
    } else if state.can_begin {
        let again = view! {
            <Button weight=Weight::Primary busy=desk.busy on:click=move |_| desk.begin()>
                {t!("Try again with other photos")} " " <kbd>"Enter"</kbd>
            </Button>
        };
        (t!("Not yet"), again.into_any())
    } else {
        let ask = view! {
            <Alert tone=Tone::Warning>{t!("A lead decides how it goes on: ask them to let you in or to let you try again.")}</Alert>
        };
        (t!("Not yet"), ask.into_any())
    };
    view! {
        <PageHeader title=t!("Quiz")/>
        <section class="card quiz-card">
            <h2>{title}</h2>
            <p class="quiz-score"><b>{text::percent(result.score, 0)}</b>" "{told(&result)}</p>
            <p class="quiet">{t!("{share} of the answers must be right.", share = text::percent(state.pass_mark, 0))}</p>
            <ErrorAlert error=desk.error/>
            <div class="row">{next}</div>
        </section>
    }
    .into_any()
}

fn told(result: &QuizResult) -> String {
    n!(
        result.answers,
        "{right} of {count} answer right",
        "{right} of {count} answers right",
        right = text::number(result.right)
    )
}
