//! Suggestions: where they come from, who sees them, and how far they pull answers.

mod upload;

use kenami_domain::{
    schema::Attribute,
    view::{
        job::JobState,
        people::Member,
        run::RunRow,
        suggestions::{Agreeing, Pull, SourceKind, SuggestionSource},
    },
};
use leptos::prelude::*;

use self::upload::UploadPredictions;
use super::project::use_project;
use crate::{
    api::{
        ApiError,
        members::members,
        projects::read_project,
        runs::runs,
        suggestions::{ShowSuggestionsTo, SwitchSuggestionsOff, SwitchSuggestionsOn, read_suggestions},
    },
    components::{
        alert::{EmptyState, ErrorAlert},
        button::{Button, Weight},
        field::{Field, described_by},
        loaded::{loaded, loaded_both},
        page::{PageHeader, Table},
        time::Ago,
    },
    text,
};

/// Share of pairs of a photo and an annotator that see no suggestion, in percent, unless somebody says otherwise.
const USUAL_CONTROL: u32 = 10;

/// The page for leads.
#[component]
pub fn SuggestionsPage() -> impl IntoView {
    let project = use_project();
    let switch_on = ServerAction::<SwitchSuggestionsOn>::new();
    let switch_off = ServerAction::<SwitchSuggestionsOff>::new();
    let show_to = ServerAction::<ShowSuggestionsTo>::new();
    let uploaded = RwSignal::new(0);
    let versions = move || (switch_on.version().get(), switch_off.version().get(), uploaded.get());
    let state = Resource::new(move || (project.key.get(), versions()), |(key, _)| read_suggestions(key));
    let list = Resource::new(
        move || project.key.get(),
        |key| async move {
            let runs = runs(key.clone()).await?;
            let attributes = read_project(key).await?.attributes;
            Ok::<_, ApiError>((runs, attributes))
        },
    );
    let people = Resource::new(move || (project.key.get(), show_to.version().get()), |(key, _)| members(key));
    let error = Signal::derive(move || {
        let of = [switch_off.value().get(), show_to.value().get()];
        of.into_iter().flatten().find_map(Result::err)
    });
    view! {
        <PageHeader
            title=t!("Suggestions")
            lead=t!("A suggestion is shown beside a photo, and screens of the grid are made of them. Some photos are always answered without, so that you can see how far suggestions pull.")
        />
        <ErrorAlert error/>
        {loaded_both(state, list, move |(source, pulls), (runs, attributes)| view! {
            <div class="columns columns-even">
                <section class="card">
                    <h2>{t!("In use")}</h2>
                    <InUse source=source.clone() attributes=attributes.clone() switch_off/>
                </section>
                <section class="card">
                    <h2>{t!("Choose a source")}</h2>
                    <Choose runs switch_on/>
                    <details class="stack-s">
                        <summary>{t!("From a file")}</summary>
                        <UploadPredictions
                            project=project.key usual_control=USUAL_CONTROL
                            on_taken=move || uploaded.update(|times| *times += 1)
                        />
                    </details>
                </section>
            </div>
            <section class="card">
                <h2>{t!("How far they pull")}</h2>
                <Pulls pulls attributes/>
            </section>
        })}
        <section class="card">
            <h2>{t!("Who sees them")}</h2>
            {loaded(people, move |people| view! { <Viewers people show_to/> })}
        </section>
    }
}

#[component]
fn InUse(
    /// The source in use.
    source: Option<SuggestionSource>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
    /// Ends it.
    switch_off: ServerAction<SwitchSuggestionsOff>,
) -> impl IntoView {
    let project = use_project();
    let Some(source) = source else {
        return view! { <EmptyState title=t!("Nothing is suggested")><p>{t!("Choose a source to begin.")}</p></EmptyState> }
            .into_any();
    };
    let kind = match source.kind {
        SourceKind::Run => t!("Run {name}", name = source.name),
        SourceKind::Import => t!("Predictions from {name}", name = source.name),
        SourceKind::Standards => t!("Breed standards and other priors").to_owned(),
    };
    let name = |key: &str| text::attribute_name_of(&attributes, key, text::language());
    let photos = source
        .photos
        .iter()
        .map(|(key, photos)| view! { <li>{n!(*photos, "{attribute}: {count} photo", "{attribute}: {count} photos", attribute = name(key))}</li> })
        .collect_view();
    view! {
        <p>{text::arranged(t!("{source}, since {time}"), [("source", view! { <b>{kind}</b> }.into_any()), ("time", view! { <Ago at=source.created_at/> }.into_any())])}</p>
        <ul class="suggestion-photos">{photos}</ul>
        <p class="quiet">{t!(
            "{share} of answers are given without seeing any, chosen by chance.",
            share = text::percent(f64::from(source.control_share), 0),
        )}</p>
        <div class="row">
            <Button
                weight=Weight::Danger busy=switch_off.pending()
                on:click=move |_| { switch_off.dispatch(SwitchSuggestionsOff { key: project.key.get_untracked() }); }
            >
                {t!("Suggest nothing")}
            </Button>
        </div>
    }
    .into_any()
}

#[component]
fn Choose(
    /// The project's runs.
    runs: Vec<RunRow>,
    /// Takes the source.
    switch_on: ServerAction<SwitchSuggestionsOn>,
) -> impl IntoView {
    let project = use_project();
    let failed = Signal::derive(move || switch_on.value().get().and_then(Result::err));
    let of_field = move |field: &'static str| {
        Signal::derive(move || failed.get().and_then(|error| error.for_field(field).map(str::to_owned)))
    };
    let fields = ["run", "kind", "control_share"];
    let error = Signal::derive(move || {
        failed.get().filter(|error| fields.iter().all(|field| error.for_field(field).is_none()))
    });
    let finished = runs
        .into_iter()
        .filter(|run| run.state == JobState::Done)
        .map(|run| view! { <option value=run.name.clone()>{run.name.clone()}</option> })
        .collect_view();
    view! {
        <ActionForm action=switch_on attr:class="form">
            <ErrorAlert error/>
            <input type="hidden" name="key" value=move || project.key.get()/>
            <Field id="kind" label=t!("From") error=of_field("kind")>
                <select class="select" id="kind" name="kind" aria-describedby=described_by("kind")>
                    <option value="run">{t!("A finished run")}</option>
                    <option value="standards">{t!("Breed standards and other priors")}</option>
                </select>
            </Field>
            <Field id="run" label=t!("Run") hint=t!("Only of a run. Breed standards are weighed in where the project has them.") error=of_field("run")>
                <select class="select" id="run" name="run" aria-describedby=described_by("run")>
                    <option value="">{t!("The latest finished one")}</option>
                    {finished}
                </select>
            </Field>
            <Field
                id="control" label=t!("Answered without suggestions, in percent") error=of_field("control_share")
                hint=t!("Chosen by chance for each photo and annotator, and always the same.")
            >
                <input
                    class="input input-short" id="control" name="control" type="number" min="0" max="100" required
                    value=USUAL_CONTROL.to_string() aria-describedby=described_by("control")
                />
            </Field>
            <div class="row"><Button submit=true weight=Weight::Primary busy=switch_on.pending()>{t!("Suggest")}</Button></div>
        </ActionForm>
    }
}

#[component]
fn Pulls(
    /// Per attribute.
    pulls: Vec<Pull>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let share = |agreeing: Agreeing| match agreeing.share() {
        Some(share) => {
            t!("{share} of {labels}", share = text::percent(share, 1), labels = text::number(agreeing.labels))
        }
        None => "–".to_owned(),
    };
    let rows = pulls
        .iter()
        .map(|pull| {
            let difference = match pull.difference() {
                Some(difference) => t!("{number} points", number = format!("{:+.1}", difference * 100.0)),
                None => "–".to_owned(),
            };
            view! {
                <tr>
                    <th scope="row">{text::attribute_name_of(&attributes, &pull.attribute, text::language())}</th>
                    <td class="numeric">{share(pull.unseen)}</td>
                    <td class="numeric">{share(pull.seen)}</td>
                    <td class="numeric">{share(pull.grid)}</td>
                    <td class="numeric">{difference}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Agreement with the suggestion")>
            <thead><tr>
                <th scope="col">{t!("Attribute")}</th><th scope="col" class="numeric">{t!("Not seen")}</th>
                <th scope="col" class="numeric">{t!("Seen beside the photo")}</th><th scope="col" class="numeric">{t!("In the grid")}</th>
                <th scope="col" class="numeric">{t!("Pull")}</th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </Table>
        <p class="quiet">
            {t!("The share of answers that agree with the suggestion. The pull is the difference that seeing it beside the photo makes; a large one says that annotators follow the suggestion instead of the rule.")}
        </p>
    }
}

#[component]
fn Viewers(
    /// Members.
    people: Vec<Member>,
    /// Shows or hides.
    show_to: ServerAction<ShowSuggestionsTo>,
) -> impl IntoView {
    let project = use_project();
    let rows = people
        .into_iter()
        .map(|member| {
            let user_id = member.user_id;
            view! {
                <li>
                    <label class="check">
                        <input type="checkbox" prop:checked=member.sees_suggestions on:change=move |event| {
                            let sees = event_target_checked(&event);
                            show_to.dispatch(ShowSuggestionsTo { key: project.key.get_untracked(), user_id, sees });
                        }/>
                        {member.name}
                    </label>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="suggestion-viewers">{rows}</ul> }
}
