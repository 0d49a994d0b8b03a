//! Starting a run.

use kenami_domain::{
    run_config::{ConfigError, DEFAULTS, RunConfig, WeightsKind, weights_kind},
    view::dataset::DatasetRow,
};
use leptos::{html, prelude::*, task::spawn_local};
use leptos_router::hooks::use_navigate;

use super::choices::Choices;
use crate::{
    api::{ApiError, runs},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        dialog::Dialog,
        field::{Field, described_by},
    },
};

/// What is wrong with a configuration as a page may give it: line where it is known, and a sentence.
fn problem(config: &str) -> Option<(Option<usize>, String)> {
    match RunConfig::from_toml(config) {
        Err(ConfigError { key, line, message, .. }) => {
            let key = key.map(|key| format!("{key} ")).unwrap_or_default();
            let place = line.map(|line| t!("Line {line}: ", line = line)).unwrap_or_default();
            Some((line, format!("{place}{key}{message}")))
        }
        Ok(config) => match weights_kind(&config.model.weights) {
            WeightsKind::Path(_) => Some((
                None,
                "model.weights: a page takes \"demo\", \"none\", \"run:ID\" or a hub name, no path".to_owned(),
            )),
            _ => None,
        },
    }
}

/// Dataset, name, configuration.
#[component]
pub fn StartDialog(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The project's key.
    key: String,
    /// The datasets to choose from, newest first.
    datasets: Vec<DatasetRow>,
    /// The dataset that is chosen at first.
    wanted: Option<i64>,
) -> impl IntoView {
    let first = wanted.filter(|id| datasets.iter().any(|d| d.id == *id)).or(datasets.first().map(|d| d.id));
    let dataset = RwSignal::new(first.unwrap_or_default());
    let name = RwSignal::new(String::new());
    let config = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let error = RwSignal::new(None::<ApiError>);
    let area = NodeRef::<html::Textarea>::new();
    let found = Memo::new(move |_| config.with(|config| problem(config)));
    let (datasets, key) = (StoredValue::new(datasets), StoredValue::new(key));
    let navigate = use_navigate();
    let submit = StoredValue::new(move || {
        if found.with_untracked(Option::is_some) {
            return;
        }
        let navigate = navigate.clone();
        busy.set(true);
        error.set(None);
        spawn_local(async move {
            let (id, name, config) = (dataset.get_untracked(), name.get_untracked(), config.get_untracked());
            let result = runs::start_run(key.get_value(), id, name, config).await;
            busy.try_set(false);
            match result {
                Ok(run) => {
                    open.try_set(false);
                    navigate(&format!("/p/{}/runs/{}", key.get_value(), run.row.id), Default::default());
                }
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    });
    let of = move |field: &'static str| {
        Signal::derive(move || error.with(|error| error.as_ref().and_then(|e| e.for_field(field)).map(str::to_owned)))
    };
    let config_error = Signal::derive(move || found.get().map(|(_, message)| message).or_else(|| of("config").get()));
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| ["name", "dataset_id", "config"].iter().all(|field| error.for_field(field).is_none()))
    });
    view! {
        <Dialog open title=t!("Start a run") wide=true>
            <form
                class="run-form"
                on:submit=move |event| {
                    event.prevent_default();
                    submit.with_value(|submit| submit());
                }
            >
                <div class="stack">
                    <Field id="run-dataset" label=t!("Dataset") error=of("dataset_id")>
                        <select
                            class="select"
                            id="run-dataset"
                            aria-describedby=described_by("run-dataset")
                            on:change=move |event| dataset.set(event_target_value(&event).parse().unwrap_or_default())
                        >
                            {datasets.get_value().into_iter().map(|row| view! {
                                <option value=row.id.to_string() selected=move || dataset.get() == row.id>
                                    {n!(row.photos, "{name} ({count} photo)", "{name} ({count} photos)", name = row.name)}
                                </option>
                            }).collect_view()}
                        </select>
                    </Field>
                    <Field id="run-name" label=t!("Name") hint=t!("Left empty, it is made from the dataset's name.") error=of("name")>
                        <input
                            class="input"
                            id="run-name"
                            maxlength="64"
                            autocomplete="off"
                            aria-describedby=described_by("run-name")
                            prop:value=name
                            on:input=move |event| name.set(event_target_value(&event))
                        />
                    </Field>
                    <Choices config/>
                    <Field
                        id="run-config"
                        label=t!("Configuration (TOML)")
                        hint=t!("Empty means all defaults; the choices above write into it.")
                        error=config_error
                    >
                        <textarea
                            class="textarea textarea-code run-config"
                            id="run-config"
                            spellcheck="false"
                            autocapitalize="off"
                            rows="10"
                            placeholder="epochs = 20"
                            aria-describedby=described_by("run-config")
                            aria-invalid=move || if found.with(Option::is_some) { "true" } else { "false" }
                            node_ref=area
                            prop:value=config
                            on:input=move |event| config.set(event_target_value(&event))
                        ></textarea>
                    </Field>
                    {move || found.get().and_then(|(line, _)| line).map(|line| view! {
                        <div><Button on:click=move |_| select_line(area, line)>{t!("Go to line {line}", line = line)}</Button></div>
                    })}
                    <ErrorAlert error=other/>
                    <div class="dialog-actions">
                        <Button on:click=move |_| open.set(false)>{t!("Cancel")}</Button>
                        <Button
                            weight=Weight::Primary
                            submit=true
                            busy=busy
                            disabled=Signal::derive(move || found.with(Option::is_some))
                        >
                            {t!("Start")}
                        </Button>
                    </div>
                </div>
                <div class="stack-s run-defaults">
                    <h3 id="run-defaults">{t!("All keys with their defaults")}</h3>
                    <pre tabindex="0" aria-labelledby="run-defaults">{DEFAULTS}</pre>
                </div>
            </form>
        </Dialog>
    }
}

/// Selects a line (from 1) in the configuration's field.
fn select_line(area: NodeRef<html::Textarea>, line: usize) {
    let Some(area) = area.get_untracked() else { return };
    let (start, end) = line_range(&area.value(), line);
    let _ = area.focus();
    let _ = area.set_selection_range(start, end);
}

/// Where a line (from 1) begins and ends, in UTF-16 units as browsers count them.
fn line_range(text: &str, line: usize) -> (u32, u32) {
    let units = |text: &str| text.encode_utf16().count() as u32;
    let before: u32 = text.split('\n').take(line.saturating_sub(1)).map(|l| units(l) + 1).sum();
    let length = text.split('\n').nth(line.saturating_sub(1)).map_or(0, units);
    (before, before + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_configuration_names_its_line() {
        assert_eq!(problem(""), None);
        assert_eq!(problem(DEFAULTS), None, "what the page shows is accepted");
        let (line, message) = problem("epochs = 3\nepoch = 2\n").unwrap();
        assert_eq!(line, Some(2));
        assert!(message.starts_with("Line 2: ") && message.contains("epoch"), "{message}");
        let (line, message) = problem("[optimizer]\nlr = -1.0\n").unwrap();
        assert_eq!(line, Some(2));
        assert!(message.contains("optimizer.lr"), "{message}");
    }

    #[test]
    fn a_page_takes_no_paths() {
        assert!(problem("[model]\nweights = \"/etc/passwd\"\n").unwrap().1.contains("no path"));
        assert_eq!(problem("[model]\nweights = \"run:3\"\n"), None);
    }

    #[test]
    fn lines_are_found_in_utf16() {
        assert_eq!(line_range("a\n毛並み = 1\nb", 2), (2, 9));
        assert_eq!(line_range("a\n🐕 = 1\nb", 3), (9, 10));
        assert_eq!(line_range("", 1), (0, 0));
    }
}
