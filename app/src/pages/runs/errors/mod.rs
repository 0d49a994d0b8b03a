//! What a run gets wrong on photos that its model has not seen. What shows is in the address (`?head=coat&sample=test`).
//!
//! - `explain`: whether a wrong attribute goes with a wrong breed; `head`: one head's scores, pairs and losses; `case`: one
//!   photo, with the ways to its review.

mod case;
mod explain;
mod head;

use kenami_domain::view::{
    errors::{RunErrors, Sample},
    project::Project,
};
use leptos::prelude::*;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};

pub use self::explain::chance;
use self::{explain::Explanations, head::Head};
use crate::{
    api::{self, ApiError},
    components::{alert::EmptyState, loaded::loaded_both, page::PageHeader},
    pages::project::use_project,
    text,
};

/// The word of a sample in the address.
const TEST: &str = "test";

/// A run's errors.
#[component]
pub fn RunErrorsPage() -> impl IntoView {
    let project = use_project();
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<i64>().ok())));
    let sample = Memo::new(move |_| query.with(sample_of));
    let head = Memo::new(move |_| query.with(|query| query.get("head")));
    let errors = Resource::new(
        move || (project.key.get(), id.get(), sample.get()),
        |(key, id, sample)| async move {
            match id {
                Some(id) => api::runs::read_run_errors(key, id, sample).await,
                None => Err(ApiError::NotFound("run".to_owned())),
            }
        },
    );
    loaded_both(project.resource, errors, move |project, errors| view! { <Errors project errors head/> })
}

#[component]
fn Errors(
    /// The project.
    project: Project,
    /// The run's errors.
    errors: RunErrors,
    /// The head in the address.
    head: Memo<Option<String>>,
) -> impl IntoView {
    let run_href = format!("/p/{}/runs/{}", project.key, errors.run_id);
    let seen_by = sources(&errors);
    let sample = errors.sample;
    let samples = [(Sample::Unseen, t!("All unseen photos")), (Sample::Test, t!("Test photos alone"))]
        .map(|(one, name)| {
            let href = move || address(head.get().as_deref(), one);
            view! {
                <a class="button" class:button-chosen=one == sample href=href aria-current=(one == sample).then_some("true")>{name}</a>
            }
        })
        .collect_view();
    let none = errors.heads.is_empty();
    let place = CasePlace { key: project.key.clone(), run_id: errors.run_id, sample };
    let (attributes, heads) = (project.attributes.clone(), StoredValue::new(errors.heads));
    let chosen = Memo::new(move |_| {
        heads.with_value(|heads| {
            let wanted = head.get();
            let found = heads.iter().position(|one| wanted.as_ref() == Some(&one.attribute));
            found.unwrap_or(0)
        })
    });
    let tabs = heads.with_value(|heads| {
        heads
            .iter()
            .enumerate()
            .map(|(number, one)| {
                let name = text::attribute_name_of(&attributes, &one.attribute, text::language());
                let right = text::percent(one.score.share(), 0);
                view! {
                    <li>
                        <a class="tab" href=address(Some(&one.attribute), sample) aria-current=move || (chosen.get() == number).then_some("page")>
                            {name}" "<span class="numeric quiet">{right}</span>
                        </a>
                    </li>
                }
            })
            .collect_view()
    });
    view! {
        <PageHeader title=t!("Errors of {run}", run = errors.run) lead=seen_by>
            <a class="button button-quiet" href=run_href>{t!("Back to the run")}</a>
        </PageHeader>
        <nav class="row" aria-label=t!("Photos that count")>{samples}</nav>
        {if none {
            view! { <EmptyState title=t!("No unseen photo has an answer to hold a prediction against")/> }.into_any()
        } else {
            view! {
                <Explanations explanations=errors.explanations attributes=attributes.clone()/>
                <nav aria-label=t!("Heads")><ul class="tabs">{tabs}</ul></nav>
                {move || heads.with_value(|heads| heads.get(chosen.get()).cloned()).map(|head| view! {
                    <Head head attributes=attributes.clone() place=place.clone()/>
                })}
            }.into_any()
        }}
    }
}

/// Whose photos are shown: what links to pictures and reviews need.
#[derive(Clone)]
pub struct CasePlace {
    /// The project's key.
    pub key: String,
    /// The run.
    pub run_id: i64,
    /// Which photos show.
    pub sample: Sample,
}

/// Which photos an address asks for.
pub fn sample_of(query: &ParamsMap) -> Sample {
    if query.get("sample").is_some_and(|word| word == TEST) { Sample::Test } else { Sample::Unseen }
}

/// The page's address below the run's.
fn address(head: Option<&str>, sample: Sample) -> String {
    format!("?{}", errors_query(head, sample))
}

/// What shows, as the address says it. Keys need no escaping.
pub fn errors_query(head: Option<&str>, sample: Sample) -> String {
    let mut parts = Vec::new();
    parts.extend(head.map(|head| format!("head={head}")));
    if sample == Sample::Test {
        parts.push(format!("sample={TEST}"));
    }
    parts.join("&")
}

/// Which photos count, and which model judged them.
fn sources(errors: &RunErrors) -> String {
    let own = [
        (errors.test > 0).then(|| n!(errors.test, "{count} test photo", "{count} test photos")),
        (errors.validation > 0).then(|| n!(errors.validation, "{count} validation photo", "{count} validation photos")),
    ];
    let own: Vec<String> = own.into_iter().flatten().collect();
    let own = (!own.is_empty()).then(|| t!("{photos} by the run's model", photos = own.join(t!(" and "))));
    let folds = (errors.folds > 0).then(|| {
        n!(errors.folds, "{count} photo by the fold that held it out", "{count} photos by the fold that held them out")
    });
    let all: Vec<String> = own.into_iter().chain(folds).collect();
    if all.is_empty() {
        return t!("No photo that the model has not seen has a prediction.").to_owned();
    }
    t!("On photos that the model has not seen: {photos}.", photos = all.join(t!("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_shows() {
        assert_eq!(address(Some("coat"), Sample::Test), "?head=coat&sample=test");
        assert_eq!(address(None, Sample::Unseen), "?");
    }

    #[test]
    fn who_has_not_seen_the_photos_is_said() {
        let of = |test, validation, folds| {
            let (run, sample, heads, explanations) = (String::new(), Sample::Unseen, Vec::new(), Vec::new());
            sources(&RunErrors { run_id: 1, run, sample, test, validation, folds, heads, explanations })
        };
        assert_eq!(
            of(28, 1, 130),
            "On photos that the model has not seen: 28 test photos and 1 validation photo by the run's model; 130 photos by \
             the fold that held them out."
        );
        assert_eq!(of(0, 0, 1), "On photos that the model has not seen: 1 photo by the fold that held it out.");
        assert!(of(0, 0, 0).starts_with("No photo"));
    }
}
