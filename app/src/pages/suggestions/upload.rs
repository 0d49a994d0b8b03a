//! Predictions from a file.

use leptos::{html, prelude::*};
use serde::Deserialize;

use crate::{
    components::{
        alert::{Alert, Tone},
        button::Button,
        field::{Field, described_by},
        toast::use_toasts,
    },
    pages::import::send::send,
    text,
};

/// The largest file that the server takes, in bytes.
const MOST_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

/// What the server answers.
#[derive(Deserialize)]
struct Taken {
    suggestions: i64,
}

/// Where sending stands.
#[derive(Debug, Clone, PartialEq)]
enum Sending {
    No,
    Busy,
    Failed(String),
}

/// Chooses a file of predictions and makes it the source.
#[component]
pub fn UploadPredictions(
    /// The project's key.
    #[prop(into)]
    project: Signal<String>,
    /// Percent that see no suggestion unless somebody says otherwise.
    usual_control: u32,
    /// Called once the file is in use.
    on_taken: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let sending = RwSignal::new(Sending::No);
    // The page is loaded again, and this form with it: what was done is said beside them.
    let toasts = use_toasts();
    let file = NodeRef::<html::Input>::new();
    let control = NodeRef::<html::Input>::new();
    let start = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let chosen = file.get_untracked().and_then(|input| input.files()).and_then(|files| files.get(0));
        let (Some(chosen), Some(control)) = (chosen, control.get_untracked()) else { return };
        if sending.with_untracked(|sending| *sending == Sending::Busy) {
            return;
        }
        if chosen.size() > MOST_BYTES {
            sending.set(Sending::Failed(t!("The file is larger than {size}.", size = text::bytes(MOST_BYTES))));
            return;
        }
        sending.set(Sending::Busy);
        let address = format!("/upload/{}/predictions?control={}", project.get_untracked(), control.value());
        let ended = move |result: Result<Taken, String>| match result {
            Ok(taken) => {
                sending.set(Sending::No);
                let said =
                    n!(taken.suggestions, "{count} suggestion is in use now.", "{count} suggestions are in use now.");
                toasts.good(said);
                on_taken();
            }
            Err(why) => sending.set(Sending::Failed(why)),
        };
        if send(&address, &[chosen], |_, _| {}, ended).is_err() {
            sending.set(Sending::Failed(t!("The browser did not send the file.").to_owned()));
        }
    };
    view! {
        <form class="form" on:submit=start>
            <Field id="predictions" label=t!("Predictions") hint=t!("A CSV file with the columns image, attribute, answer and probability; the most probable answer is suggested.")>
                <input
                    class="input" id="predictions" type="file" accept=".csv,text/csv" required node_ref=file
                    aria-describedby=described_by("predictions")
                />
            </Field>
            <Field id="predictions-control" label=t!("Control share, in percent") hint=t!("Photos that are answered without suggestions, by chance.")>
                <input
                    class="input input-short" id="predictions-control" type="number" min="0" max="100" required node_ref=control
                    value=usual_control.to_string() aria-describedby=described_by("predictions-control")
                />
            </Field>
            <div aria-live="polite">
                {move || match sending.get() {
                    Sending::Failed(why) => Some(view! { <Alert tone=Tone::Bad>{why}</Alert> }),
                    Sending::No | Sending::Busy => None,
                }}
            </div>
            <div class="row">
                <Button submit=true busy=Signal::derive(move || sending.get() == Sending::Busy)>{t!("Suggest from the file")}</Button>
            </div>
        </form>
    }
}
