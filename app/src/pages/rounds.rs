//! Active learning: answer what the model doubts, train anew, and see what the labels have brought.

use std::collections::BTreeSet;

use kenami_domain::{
    roles::Role,
    run_config::RunConfig,
    schema::Attribute,
    view::{
        queue::QueueOrder,
        rounds::{Round, RoundInput, Rounds},
    },
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_navigate;

use crate::{
    api::{self, ApiError},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        field::{Field, described_by},
        job::JobBadge,
        loaded::loaded_both,
        page::{PageHeader, Table},
        time::Ago,
    },
    pages::{
        project::use_project,
        runs::chart::{Chart, Line},
        settings::order_name,
    },
    text,
};

/// Where the loop stands, and the button that goes on with it.
#[component]
pub fn RoundsPage() -> impl IntoView {
    let project = use_project();
    let rounds = Resource::new(move || project.key.get(), api::rounds::read_rounds);
    loaded_both(project.resource, rounds, move |project, rounds| {
        let (key, lead) = (project.key.clone(), project.role == Role::Lead);
        let runs_href = format!("/p/{key}/runs");
        let lines = lines(&rounds.rounds, &project.attributes);
        let drawn = (!lines.is_empty()).then(|| {
            view! {
                <section class="stack-s">
                    <h2>{t!("Accuracy against labels spent")}</h2>
                    <div class="charts">
                        <Chart title=t!("Accuracy on test") unit=t!("share") percent=true lines=Signal::stored(lines) across=t!("labels given")/>
                    </div>
                    <p class="quiet measure">{t!("All finished runs, whatever they trained: compare runs of one configuration. Of annotated attributes the test photos get more answers from round to round, so that early points rest on few.")}</p>
                </section>
            }
        });
        view! {
            <PageHeader
                title=t!("Learning loop")
                lead=t!("Train, let the queue begin with what the model doubts most, answer it, and train again: labels go where they bring most.")
            >
                <a class="button button-quiet" href=runs_href>{t!("Back to the runs")}</a>
            </PageHeader>
            <Next rounds=rounds.clone() key=key.clone() lead/>
            {drawn}
            {(!rounds.rounds.is_empty()).then(|| view! { <Rows rounds=rounds.rounds key attributes=project.attributes/> })}
        }
    })
}

/// What comes next: answering, or a round.
#[component]
fn Next(
    /// Where the loop stands.
    rounds: Rounds,
    /// The project's key.
    key: String,
    /// The user may train.
    lead: bool,
) -> impl IntoView {
    let annotate = format!("/p/{key}/annotate");
    let first = if rounds.order.follows_model() { rounds.order } else { QueueOrder::Entropy };
    let order = RwSignal::new(first);
    let (busy, error) = (RwSignal::new(false), RwSignal::new(None::<ApiError>));
    let navigate = use_navigate();
    let pseudo = RwSignal::new(false);
    let sure = RwSignal::new(format!("{:.0}", RunConfig::default().pseudo.threshold * 100.0));
    let config = Memo::new(move |_| sure.with(|sure| configuration(pseudo.get(), sure)));
    let (queue_order, fresh, open) = (rounds.order, rounds.fresh, rounds.open);
    let nothing_new = Memo::new(move |_| config.with(|config| config.as_ref().is_some_and(|c| rounds.would_repeat(c))));
    let begin = move |_| {
        let Some(config) = config.get_untracked() else { return };
        let (key, navigate) = (key.clone(), navigate.clone());
        busy.set(true);
        error.set(None);
        spawn_local(async move {
            let input = RoundInput { order: order.get_untracked(), config: config.to_brief_toml() };
            let begun = api::rounds::begin_round(key.clone(), input).await;
            busy.try_set(false);
            match begun {
                Ok(run) => navigate(&format!("/p/{key}/runs/{}", run.row.id), Default::default()),
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    };
    let options = QueueOrder::ALL
        .into_iter()
        .filter(|one| one.follows_model())
        .map(|one| view! { <option value=one.as_str() selected=move || order.get() == one>{order_name(one)}</option> })
        .collect_view();
    let fresh = n!(fresh, "{count} label since the last round", "{count} labels since the last round");
    let open = n!(open, "{count} photo waits for an answer", "{count} photos wait for an answer");
    view! {
        <section class="pay-form" aria-label=t!("Next round")>
            <h2>{t!("Next round")}</h2>
            <ol class="steps">
                <li>
                    {t!("Answer what comes first in the queue: {order}.", order = order_name(queue_order))}" "
                    <a href=annotate>{t!("Annotate")}</a>" "<span class="quiet">{open}</span>
                </li>
                <li>{t!("Freeze the labels and train on them; then the queue begins with what the new model doubts.")}" "<span class="quiet">{fresh}</span></li>
            </ol>
            {lead.then(|| view! {
                <div class="pay-fields">
                    <Field id="round-order" label=t!("Which photos come first then")>
                        <select class="select" id="round-order"
                            on:change=move |event| if let Ok(chosen) = event_target_value(&event).parse() { order.set(chosen) }>
                            {options}
                        </select>
                    </Field>
                </div>
                <label class="check">
                    <input type="checkbox" prop:checked=pseudo on:change:target=move |event| pseudo.set(event.target().checked())/>
                    {t!("Learn also what the model is sure of where nobody has answered (pseudo-labels)")}
                </label>
                <Show when=move || pseudo.get()>
                    <div class="pay-fields pay-below"><Sure sure wrong=Signal::derive(move || config.with(Option::is_none))/></div>
                </Show>
                <ErrorAlert error/>
                <div class="row">
                    <Button weight=Weight::Primary busy=busy on:click=begin
                        disabled=Signal::derive(move || nothing_new.get() || config.with(Option::is_none))>
                        {t!("Freeze and train")}
                    </Button>
                    <Show when=move || nothing_new.get()>
                        <span class="quiet">{t!("Nothing has been answered since the last round.")}</span>
                    </Show>
                </div>
            })}
        </section>
    }
}

/// From which confidence on an answer is learnt.
#[component]
fn Sure(
    /// In percent, as it is written.
    sure: RwSignal<String>,
    /// It is no such number.
    wrong: Signal<bool>,
) -> impl IntoView {
    let error = Signal::derive(move || wrong.get().then(|| t!("a number from 0 to 100").to_owned()));
    view! {
        <Field
            id="round-sure"
            label=t!("Sure from (%)")
            hint=t!("After a first round a second one learns these answers as well; test photos keep people's answers alone.")
            error
        >
            <input class="input" id="round-sure" inputmode="decimal" autocomplete="off" aria-describedby=described_by("round-sure")
                prop:value=sure on:input:target=move |event| sure.set(event.target().value())/>
        </Field>
    }
}

/// A round's configuration; none where the confidence is no percentage.
fn configuration(pseudo: bool, sure: &str) -> Option<RunConfig> {
    let mut config = RunConfig::default();
    if pseudo {
        config.pseudo.unlabelled = true;
        config.pseudo.threshold = sure.trim().parse::<f64>().ok()? / 100.0;
    }
    config.validate().is_ok().then_some(config)
}

#[component]
fn Rows(
    /// Oldest first.
    rounds: Vec<Round>,
    /// The project's key.
    key: String,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let heads: BTreeSet<String> = rounds.iter().flat_map(|round| round.run.accuracy.keys().cloned()).collect();
    let head_cells = heads
        .iter()
        .map(|head| view! { <th scope="col" class="numeric">{text::attribute_name_of(&attributes, head, text::language())}</th> })
        .collect_view();
    let rows = rounds
        .into_iter()
        .rev()
        .map(|Round { run, labels }| {
            let accuracies = heads
                .iter()
                .map(|head| view! { <td class="numeric">{run.accuracy.get(head).map(|share| text::percent(*share, 1))}</td> })
                .collect_view();
            view! {
                <tr>
                    <th scope="row"><a href=format!("/p/{key}/runs/{}", run.id)>{run.name.clone()}</a></th>
                    <td><JobBadge state=Signal::stored(run.state)/></td>
                    <td class="numeric">{text::number(labels)}</td>
                    {accuracies}
                    <td class="nowrap"><Ago at=run.created_at/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Runs with the labels that had been given when their datasets were frozen")>
            <thead>
                <tr>
                    <th scope="col">{t!("Run")}</th>
                    <th scope="col">{t!("State")}</th>
                    <th scope="col" class="numeric">{t!("Labels")}</th>
                    {head_cells}
                    <th scope="col">{t!("When")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

/// A line a head, the fewest labels first.
fn lines(rounds: &[Round], attributes: &[Attribute]) -> Vec<Line> {
    let heads: BTreeSet<&String> = rounds.iter().flat_map(|round| round.run.accuracy.keys()).collect();
    let line = |(colour, head): (usize, &String)| {
        let mut points: Vec<(f64, f64)> =
            rounds.iter().filter_map(|round| Some((round.labels as f64, *round.run.accuracy.get(head)?))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let label = text::attribute_name_of(attributes, head, text::language());
        Line { label, colour, dashed: false, points }
    };
    heads.into_iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kenami_domain::view::{job::JobState, run::RunRow};
    use time::macros::datetime;

    use super::*;

    fn round(labels: i64, ear: Option<f64>) -> Round {
        let accuracy = BTreeMap::from_iter(ear.map(|ear| ("ear".to_owned(), ear)));
        let run = RunRow {
            id: labels,
            name: String::new(),
            dataset_id: 1,
            dataset: String::new(),
            state: JobState::Done,
            accuracy,
            created_by: String::new(),
            created_at: datetime!(2026-11-24 08:00 UTC),
        };
        Round { run, labels }
    }

    #[test]
    fn what_the_model_is_sure_of_is_a_percentage() {
        assert_eq!(configuration(false, "much"), Some(RunConfig::default()));
        let pseudo = configuration(true, " 95 ").unwrap().pseudo;
        assert!(pseudo.unlabelled && (pseudo.threshold - 0.95).abs() < 1e-12);
        assert!(["", "much", "-1", "101", "NaN"].iter().all(|sure| configuration(true, sure).is_none()));
    }

    #[test]
    fn a_line_goes_from_few_labels_to_many() {
        let found = lines(&[round(40, Some(0.5)), round(10, Some(0.4)), round(80, None)], &[]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].label.as_str(), found[0].points.as_slice()), ("ear", &[(10.0, 0.4), (40.0, 0.5)][..]));
        assert!(lines(&[round(3, None)], &[]).is_empty());
    }
}
