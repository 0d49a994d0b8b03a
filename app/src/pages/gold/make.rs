//! Making photos gold: many with decisions at once, or from a table.

use kenami_domain::view::gold::GoldSummary;
use leptos::prelude::*;

use crate::{
    api::gold::{MakeManyGold, PutGold},
    components::{
        alert::{Alert, ErrorAlert, Tone},
        button::Button,
        field::{Field, described_by},
    },
    pages::project::use_project,
    text,
};

/// Rows of a table that did not fit and are listed.
const LISTED: usize = 8;

/// The ways to make gold.
#[component]
pub fn Make(
    /// What there is.
    summary: GoldSummary,
    /// Makes photos with decisions gold.
    make: ServerAction<MakeManyGold>,
    /// Makes a table's answers gold.
    put: ServerAction<PutGold>,
    /// The table that is being written.
    table: RwSignal<String>,
) -> impl IntoView {
    let project = use_project();
    let made = move || match make.value().get() {
        Some(Ok(photos)) => Some(n!(photos as i64, "{count} photo is gold now.", "{count} photos are gold now.")),
        _ => None,
    };
    let error = Signal::derive(move || make.value().get().and_then(Result::err));
    let some = summary.decided.clamp(1, 20).to_string();
    view! {
        <div class="stack">
            {move || made().map(|words| view! { <Alert tone=Tone::Good>{words}</Alert> })}
            <ErrorAlert error/>
            <ActionForm action=make attr:class="form-inline">
                <input type="hidden" name="key" value=move || project.key.get()/>
                <Field id="gold-photos" label=t!("Photos with a decision")>
                    <input
                        class="input input-short" id="gold-photos" name="photos" type="number" min="1" max="1000" required
                        value=some aria-describedby=described_by("gold-photos")
                    />
                </Field>
                <Button submit=true busy=make.pending() disabled=summary.decided == 0>{t!("Make gold")}</Button>
            </ActionForm>
            <p class="quiet">{t!("Chosen by chance among those that are not gold. One at a time: at the decision of a disagreement.")}</p>
            <details>
                <summary>{t!("From a table")}</summary>
                <Table put table/>
            </details>
        </div>
    }
}

#[component]
fn Table(
    /// Makes a table's answers gold.
    put: ServerAction<PutGold>,
    /// The table that is being written.
    table: RwSignal<String>,
) -> impl IntoView {
    let project = use_project();
    let error = Signal::derive(move || put.value().get().and_then(Result::err));
    let send = move |_| {
        put.dispatch(PutGold { key: project.key.get_untracked(), table: table.get_untracked() });
    };
    view! {
        <div class="form">
            <ErrorAlert error/>
            {move || put.value().get().and_then(Result::ok).map(|done| {
                let tone = if done.problems.is_empty() { Tone::Good } else { Tone::Warning };
                let more = done.problems.len().saturating_sub(LISTED);
                let problems = done
                    .problems
                    .iter()
                    .take(LISTED)
                    .map(|(line, reason)| view! { <li>{t!("Line {line}: {reason}", line = line, reason = text::translate_sentence(reason))}</li> })
                    .collect_view();
                let words = t!(
                    "{answers}, {rows}.",
                    answers = n!(done.made as i64, "{count} answer is gold now", "{count} answers are gold now"),
                    rows = n!(done.unchanged as i64, "{count} row said what was gold already", "{count} rows said what was gold already")
                );
                view! {
                    <Alert tone>
                        <p>{words}</p>
                        <ul class="plain-list">{problems}</ul>
                        {(more > 0).then(|| view! { <p>{n!(more as i64, "and {count} more line that does not fit", "and {count} more lines that do not fit")}</p> })}
                    </Alert>
                }
            })}
            <Field
                id="gold-table" label=t!("CSV: image,attribute,answer[,explanation]")
                hint=t!("Each row also decides. The explanation shows after a wrong answer in the quiz.")
            >
                <textarea
                    class="textarea gold-table" id="gold-table" rows="6" spellcheck="false" prop:value=table
                    aria-describedby=described_by("gold-table") on:input=move |event| table.set(event_target_value(&event))
                ></textarea>
            </Field>
            <div class="row">
                <Button busy=put.pending() disabled=Signal::derive(move || table.with(|table| table.trim().is_empty())) on:click=send>
                    {t!("Make these gold")}
                </Button>
            </div>
        </div>
    }
}
