//! A project at a glance: its photos, how far it is, what to do next.

use kenami_domain::{
    roles::Role,
    view::{
        photo::PhotoCard,
        project::{AnnotatorProgress, GivenCount, Progress, Project},
    },
};
use leptos::{either::Either, prelude::*};

use super::project::use_project;
use crate::{
    api::{ApiError, photos, projects},
    components::{
        alert::EmptyState,
        loaded::loaded_both,
        page::{PageHeader, Table},
        photo::PhotoImage,
        progress::{Part, ProgressBar, StackedBar},
    },
    text,
};

/// Photos in the strip at the top.
const STRIP: usize = 16;
/// Values of a given attribute that are listed before the rest is summed up.
const LISTED_VALUES: usize = 40;

/// Progress of the whole project, of each annotator, and next steps for the user's role.
#[component]
pub fn OverviewPage() -> impl IntoView {
    let project = use_project();
    let data = Resource::new(
        move || project.key.get(),
        |key| async move {
            let progress = projects::read_progress(key.clone()).await?;
            let sample = photos::sample_photos(key, STRIP).await?;
            Ok::<_, ApiError>((progress, sample))
        },
    );
    loaded_both(project.resource, data, |project, (progress, photos)| {
        view! {
            <PageHeader title=project.name.clone() lead=project.description.clone()/>
            <Strip project_key=project.key.clone() photos/>
            <div class="columns">
                <div class="stack-l">
                    <Figures progress=progress.clone()/>
                    <Annotators annotators=progress.annotators.clone()/>
                    <Given project=project.clone() counts=progress.given.clone()/>
                </div>
                <NextSteps project progress/>
            </div>
        }
    })
}

#[component]
fn Strip(
    /// The project's key.
    project_key: String,
    /// Some of its photos.
    photos: Vec<PhotoCard>,
) -> impl IntoView {
    (!photos.is_empty()).then(|| {
        let photos = photos
            .into_iter()
            .map(|photo| view! { <li><PhotoImage project_key=project_key.clone() photo class="strip-photo" alt=""/></li> })
            .collect_view();
        view! { <ul class="strip" aria-label=t!("Some of the photos")>{photos}</ul> }
    })
}

#[component]
fn Figures(
    /// How far the project is.
    progress: Progress,
) -> impl IntoView {
    let open = (progress.slots - progress.slots_done - progress.slots_held).max(0);
    let parts = vec![
        Part { label: t!("answered").into(), count: progress.slots_done, class: "part-1" },
        Part { label: t!("being answered").into(), count: progress.slots_held, class: "part-2" },
        Part { label: t!("open").into(), count: open, class: "part-rest" },
    ];
    let figure = |name: &'static str, value: i64| {
        view! { <div class="figure"><dt>{name}</dt><dd>{text::number(value)}</dd></div> }
    };
    let label =
        t!("{percent} % of the answers are in", percent = text::whole_percent(progress.slots_done, progress.slots));
    view! {
        <section class="card">
            <div class="row row-apart">
                <h2>{t!("Progress")}</h2>
                <span class="quiet">{label.clone()}</span>
            </div>
            <StackedBar parts label/>
            <dl class="figures">
                {figure(t!("Photos"), progress.photos)}
                {(progress.duplicates > 0).then(|| figure(t!("of them duplicates"), progress.duplicates))}
                {figure(t!("Photos finished"), progress.photos_done)}
                {figure(t!("Open disagreements"), progress.open_disagreements)}
                {figure(t!("Open unsure answers"), progress.open_unsure)}
            </dl>
        </section>
    }
}

#[component]
fn Annotators(
    /// Each annotator's progress, most photos first.
    annotators: Vec<AnnotatorProgress>,
) -> impl IntoView {
    if annotators.is_empty() {
        return Either::Left(view! { <EmptyState title=t!("Nobody has answered a photo yet")/> });
    }
    let most = annotators.iter().map(|a| a.photos_done).max().unwrap_or_default();
    let rows = annotators
        .into_iter()
        .map(|annotator| {
            view! {
                <tr>
                    <th scope="row">{annotator.name.clone()}</th>
                    <td class="bar-cell"><ProgressBar done=annotator.photos_done total=most label=annotator.name/></td>
                    <td class="numeric">{text::number(annotator.photos_done)}</td>
                    <td class="numeric">{annotator.median_ms.map_or_else(|| "—".to_owned(), text::duration)}</td>
                </tr>
            }
        })
        .collect_view();
    Either::Right(view! {
        <section class="stack-s">
            <h2>{t!("Annotators")}</h2>
            <Table caption=t!("Photos per annotator")>
                <thead><tr>
                    <th scope="col">{t!("Name")}</th><th scope="col"><span class="visually-hidden">{t!("Beside the others")}</span></th>
                    <th scope="col" class="numeric">{t!("Photos")}</th><th scope="col" class="numeric">{t!("Median a photo")}</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </Table>
        </section>
    })
}

#[component]
fn Given(
    /// The project.
    project: Project,
    /// Photos per value of each given attribute.
    counts: Vec<GivenCount>,
) -> impl IntoView {
    let language = text::language();
    let mut keys: Vec<&str> = counts.iter().map(|count| count.attribute.as_str()).collect();
    keys.dedup();
    keys.into_iter()
        .filter_map(|key| project.attributes.iter().find(|attribute| attribute.key == key))
        .map(|attribute| {
            let of: Vec<_> = counts.iter().filter(|count| count.attribute == attribute.key).collect();
            let most = of.iter().map(|count| count.photos).max().unwrap_or_default();
            let rest = of.len().saturating_sub(LISTED_VALUES);
            let bars = of
                .iter()
                .take(LISTED_VALUES)
                .map(|count| {
                    let name = text::value_name(attribute, &count.value, language);
                    view! {
                        <li>
                            <span class="given-name" title=name.clone()>{name.clone()}</span>
                            <ProgressBar done=count.photos total=most label=name/>
                            <span class="numeric">{text::number(count.photos)}</span>
                        </li>
                    }
                })
                .collect_view();
            view! {
                <section class="stack-s">
                    <h2>{text::attribute_name(attribute, language)}" "<span class="quiet numeric">{of.len()}</span></h2>
                    <ul class="given-bars">{bars}</ul>
                    {(rest > 0).then(|| view! { <p class="quiet">{n!(rest as i64, "and {count} more value", "and {count} more values")}</p> })}
                </section>
            }
        })
        .collect_view()
}

/// One thing to do: where, what, why.
struct Step {
    path: &'static str,
    name: String,
    why: String,
}

#[component]
fn NextSteps(
    /// The project.
    project: Project,
    /// How far it is.
    progress: Progress,
) -> impl IntoView {
    let steps = next_steps(project.role, &progress);
    let items = steps
        .into_iter()
        .enumerate()
        .map(|(index, step)| {
            let class = if index == 0 { "button button-primary" } else { "button" };
            view! {
                <li class="stack-s">
                    <p>{step.why}</p>
                    <a class=class href=format!("/p/{}{}", project.key, step.path)>{step.name}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <aside class="card next-steps" aria-labelledby="next-steps">
            <h2 id="next-steps">{t!("Next steps")}</h2>
            <ol>{items}</ol>
        </aside>
    }
}

/// What `role` can do for the project now, most useful first; never empty.
fn next_steps(role: Role, progress: &Progress) -> Vec<Step> {
    let step = |path, name: &str, why: String| Step { path, name: name.to_owned(), why };
    if progress.photos == 0 && role >= Role::Lead {
        return vec![
            step("/import", t!("Import photos"), t!("The project has no photos yet.").into()),
            step("/members", t!("Invite members"), t!("Send annotators and reviewers an invitation link.").into()),
        ];
    }
    let mut steps = Vec::new();
    if role >= Role::Reviewer && progress.open_disagreements > 0 {
        let why = n!(
            progress.open_disagreements,
            "{count} disagreement waits for a decision. Looked at early, they show where the rules have gaps.",
            "{count} disagreements wait for a decision. Looked at early, they show where the rules have gaps."
        );
        steps.push(step("/disagreements", t!("Decide disagreements"), why));
    }
    if progress.slots > progress.slots_done {
        let open = progress.slots - progress.slots_done;
        let why = n!(open, "{count} answer is still open.", "{count} answers are still open.");
        steps.push(step("/annotate", t!("Annotate"), why));
    }
    if role >= Role::Lead && progress.open_unsure > 0 {
        let why = n!(
            progress.open_unsure,
            "{count} answer is unsure: its note says what the rules do not decide.",
            "{count} answers are unsure: their notes say what the rules do not decide."
        );
        steps.push(step("/guidelines", t!("Sharpen the guidelines"), why));
    }
    if role >= Role::Lead && progress.slots_done > 0 {
        steps.push(step(
            "/datasets",
            t!("Freeze a dataset"),
            t!("A frozen dataset can be exported and trained on.").into(),
        ));
    }
    if steps.is_empty() {
        steps.push(step("/guidelines", t!("Read the guidelines"), t!("There is nothing to answer now.").into()));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(slots: i64, done: i64, disagreements: i64) -> Progress {
        Progress {
            photos: slots / 2,
            duplicates: 0,
            slots,
            slots_done: done,
            slots_held: 0,
            photos_done: done / 2,
            open_disagreements: disagreements,
            open_unsure: 0,
            annotators: Vec::new(),
            given: Vec::new(),
        }
    }

    #[test]
    fn each_role_is_sent_where_it_may_go() {
        let paths = |role, progress: &Progress| next_steps(role, progress).iter().map(|s| s.path).collect::<Vec<_>>();
        let busy = progress(20, 10, 3);
        assert_eq!(paths(Role::Annotator, &busy), ["/annotate"]);
        assert_eq!(paths(Role::Reviewer, &busy), ["/disagreements", "/annotate"]);
        assert_eq!(paths(Role::Lead, &busy), ["/disagreements", "/annotate", "/datasets"]);
        assert_eq!(paths(Role::Lead, &progress(0, 0, 0)), ["/import", "/members"]);
        assert_eq!(paths(Role::Annotator, &progress(0, 0, 0)), ["/guidelines"]);
        assert_eq!(paths(Role::Annotator, &progress(20, 20, 0)), ["/guidelines"]);
    }
}
