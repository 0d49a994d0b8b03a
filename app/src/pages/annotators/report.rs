//! A report: speed, gold, agreement with others, confusion with the consensus, shares, the quiz.

use kenami_domain::view::{
    project::Project,
    quiz::QuizResult,
    report::{AnnotatorReport, AttributeReport, Speed},
};
use leptos::prelude::*;

use crate::{
    components::{
        page::Table,
        picture::{DayBars, ShareLine, cell_class},
        progress::{Part, StackedBar},
        time::Ago,
    },
    text,
};

/// All of it.
#[component]
pub fn Report(
    /// The project.
    project: Project,
    /// The report.
    report: AnnotatorReport,
) -> impl IntoView {
    let of_matrices = (project.clone(), report.attributes.clone());
    let matrices = of_matrices
        .1
        .into_iter()
        .filter(|attribute| attribute.confusion.counts.iter().flatten().any(|count| *count > 0))
        .map(|attribute| view! { <Matrix project=of_matrices.0.clone() attribute/> })
        .collect::<Vec<_>>();
    view! {
        <div class="columns columns-even">
            <section class="card">
                <h2>{t!("Speed")}</h2>
                <SpeedFigures speed=report.speed photos=report.annotator.photos_done/>
            </section>
            <section class="card">
                <h2>{t!("Answers")}</h2>
                <Shares project=project.clone() attributes=report.attributes.clone()/>
            </section>
        </div>
        <section class="stack-s">
            <h2>{t!("Right on gold, and agreement with others")}</h2>
            <Attributes project attributes=report.attributes/>
            <p class="quiet">
                {t!("Gold: the share of right answers to photos whose answer is known, with its 95 % interval (Wilson). Agreement: over pairs of an answer of theirs and one of somebody else to the same photo, the share of equal ones and Krippendorff's alpha, which is 1 for perfect agreement and 0 for chance.")}
            </p>
        </section>
        <section class="stack-s">
            <h2>{t!("Against the consensus")}</h2>
            {if matrices.is_empty() {
                view! { <p class="quiet">{t!("Nobody else has answered the same photos, and nothing is decided about them.")}</p> }.into_any()
            } else {
                view! {
                    <p class="quiet">{t!("Rows: the decision, or else what most of the others say. Columns: their answers. Ties are left out.")}</p>
                    <div class="matrices">{matrices}</div>
                }
                .into_any()
            }}
        </section>
        <Quizzes quizzes=report.quizzes/>
    }
}

#[component]
fn SpeedFigures(
    /// The figures.
    speed: Speed,
    /// Photos finished.
    photos: i64,
) -> impl IntoView {
    let figure = |name: &'static str, value: String| {
        view! { <div class="figure"><dt>{name}</dt><dd>{value}</dd></div> }
    };
    let time = |ms: Option<f64>| ms.map_or_else(|| "—".to_owned(), text::duration);
    let days = speed.days.len() as i64;
    let a_day = match days {
        0 => "—".to_owned(),
        days => text::number(speed.days.iter().map(|day| day.photos).sum::<i64>() / days),
    };
    view! {
        <dl class="figures">
            {figure(t!("Photos"), text::number(photos))}
            {figure(t!("Median a photo"), time(speed.median_ms))}
            {figure(t!("Middle half"), t!("{from} to {to}", from = time(speed.lower_ms), to = time(speed.upper_ms)))}
            {figure(t!("Photos a day"), a_day)}
        </dl>
        <DayBars days=speed.days label=t!("Photos a day")/>
    }
}

#[component]
fn Shares(
    /// The project.
    project: Project,
    /// Per attribute.
    attributes: Vec<AttributeReport>,
) -> impl IntoView {
    let language = text::language();
    attributes
        .into_iter()
        .map(|attribute| {
            let name = text::attribute_name_of(&project.attributes, &attribute.attribute, language);
            let values = attribute.labels - attribute.unsure - attribute.not_visible;
            let parts = vec![
                Part { label: t!("a value").into(), count: values, class: "part-1" },
                Part { label: t!("not visible").into(), count: attribute.not_visible, class: "part-3" },
                Part { label: t!("unsure").into(), count: attribute.unsure, class: "part-2" },
            ];
            view! {
                <div class="stack-s">
                    <h3>{name.clone()}</h3>
                    <StackedBar parts label=t!("Answers to {name}", name = name)/>
                </div>
            }
        })
        .collect_view()
}

#[component]
fn Attributes(
    /// The project.
    project: Project,
    /// Per attribute.
    attributes: Vec<AttributeReport>,
) -> impl IntoView {
    let language = text::language();
    let rows = attributes
        .into_iter()
        .map(|row| {
            let name = text::attribute_name_of(&project.attributes, &row.attribute, language);
            let gold = match (row.gold.share(), row.gold_interval) {
                (Some(share), Some([low, high])) => t!(
                    "{right} of {answers} ({share}, {low} to {high})",
                    right = row.gold.right,
                    answers = row.gold.answers,
                    share = text::percent(share, 0),
                    low = text::percent(low, 0),
                    high = text::percent(high, 0)
                ),
                _ => "—".to_owned(),
            };
            let picture = row.gold.share().map(|share| {
                view! { <ShareLine share interval=row.gold_interval label=t!("{name} right on gold", name = name)/> }
            });
            let percent = row.percent.map_or_else(|| "—".to_owned(), |share| text::percent(share, 1));
            let alpha = row.alpha.map_or_else(|| "—".to_owned(), |alpha| format!("{alpha:.3}"));
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td>{gold}</td>
                    <td class="share-cell">{picture}</td>
                    <td class="numeric">{percent}</td>
                    <td class="numeric" title=row.undefined.map(|why| text::translate_sentence(&why).into_owned())>{alpha}</td>
                    <td class="numeric">{text::number(row.pairs)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Gold and agreement per attribute")>
            <thead><tr>
                <th scope="col">{t!("Attribute")}</th><th scope="col">{t!("Right on gold")}</th>
                <th scope="col"><span class="visually-hidden">{t!("As a picture")}</span></th>
                <th scope="col" class="numeric">{t!("Agreement")}</th><th scope="col" class="numeric">{t!("Alpha")}</th>
                <th scope="col" class="numeric">{t!("Pairs")}</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

#[component]
fn Matrix(
    /// The project.
    project: Project,
    /// The attribute's report.
    attribute: AttributeReport,
) -> impl IntoView {
    let language = text::language();
    let name = text::attribute_name_of(&project.attributes, &attribute.attribute, language);
    let known = project.attributes.iter().find(|known| known.key == attribute.attribute);
    let names: Vec<String> = attribute
        .confusion
        .answers
        .iter()
        .map(|answer| known.map_or_else(|| answer.key().to_owned(), |known| text::answer_name(known, answer, language)))
        .collect();
    let columns = names.iter().map(|name| view! { <th scope="col"><span>{name.clone()}</span></th> }).collect_view();
    let rows = attribute
        .confusion
        .counts
        .iter()
        .enumerate()
        .map(|(row, counts)| {
            let total: i64 = counts.iter().sum();
            let cells = counts
                .iter()
                .enumerate()
                .map(|(column, &count)| {
                    view! { <td class=cell_class(count, total, row == column)>{(count > 0).then_some(count)}</td> }
                })
                .collect_view();
            view! { <tr><th scope="row">{names[row].clone()}</th>{cells}</tr> }
        })
        .collect_view();
    view! {
        <figure class="stack-s">
            <figcaption><b>{name.clone()}</b></figcaption>
            <div class="table-frame confusion-frame" role="region" aria-label=t!("Confusion matrix of {name}", name = name) tabindex="0">
                <table class="confusion">
                    <caption class="visually-hidden">{t!("{name}: photos per consensus (rows) and answer (columns)", name = name)}</caption>
                    <thead><tr><td></td>{columns}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </figure>
    }
}

#[component]
fn Quizzes(
    /// Finished ones.
    quizzes: Vec<QuizResult>,
) -> impl IntoView {
    (!quizzes.is_empty()).then(|| {
        let rows = quizzes
            .into_iter()
            .map(|quiz| {
                let (class, word) =
                    if quiz.passed { ("badge badge-good", t!("passed")) } else { ("badge badge-bad", t!("failed")) };
                view! {
                    <tr>
                        <th scope="row" class="numeric">{quiz.attempt}</th>
                        <td class="numeric">{t!("{done} of {total}", done = quiz.right, total = quiz.answers)}</td>
                        <td class="numeric">{text::percent(quiz.score, 0)}</td>
                        <td><span class=class>{word}</span></td>
                        <td><Ago at=quiz.finished_at/></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section class="stack-s">
                <h2>{t!("Quiz")}</h2>
                <Table caption=t!("Quizzes")>
                    <thead><tr>
                        <th scope="col" class="numeric">{t!("Attempt")}</th><th scope="col" class="numeric">{t!("Right")}</th>
                        <th scope="col" class="numeric">{t!("Score")}</th><th scope="col">{t!("Result")}</th><th scope="col">{t!("When")}</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </Table>
            </section>
        }
    })
}
