//! How gold is used: the rate, and the quiz.

use kenami_domain::view::project::GoldSettings;
use leptos::prelude::*;

use crate::{
    api::gold::UseGold,
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        field::{Field, described_by},
        toast::use_toasts,
    },
    pages::project::use_project,
};

/// A share as a percentage without the noise of binary fractions.
fn percent(share: f64) -> String {
    ((share * 1e6).round() / 1e4).to_string()
}

/// The form.
#[component]
pub fn UseForm(
    /// As it is now.
    settings: GoldSettings,
    /// Saves it.
    save: ServerAction<UseGold>,
) -> impl IntoView {
    let project = use_project();
    let toasts = use_toasts();
    Effect::new(move |before: Option<usize>| {
        let version = save.version().get();
        if before.is_some_and(|before| before != version)
            && save.value().get_untracked().is_some_and(|done| done.is_ok())
        {
            toasts.good(t!("Saved."));
        }
        version
    });
    let failed = Signal::derive(move || save.value().get().and_then(Result::err));
    let of_field = move |field: &'static str| {
        Signal::derive(move || failed.get().and_then(|error| error.for_field(field).map(str::to_owned)))
    };
    let fields = ["gold_rate", "quiz_length", "quiz_pass_mark"];
    let error = Signal::derive(move || {
        failed.get().filter(|error| fields.iter().all(|field| error.for_field(field).is_none()))
    });
    view! {
        <ActionForm action=save attr:class="form">
            <ErrorAlert error/>
            <input type="hidden" name="key" value=move || project.key.get()/>
            <Field
                id="gold-percent" label=t!("Gold among an annotator's photos, in percent") error=of_field("gold_rate")
                hint=t!("Mixed in by chance, each photo once, for annotators alone. 0: none.")
            >
                <input
                    class="input input-short" id="gold-percent" name="gold_percent" type="number" min="0" max="50" step="any"
                    required value=percent(settings.gold_rate) aria-describedby=described_by("gold-percent")
                />
            </Field>
            <Field
                id="quiz-length" label=t!("Photos of the quiz") error=of_field("quiz_length")
                hint=t!("Before an annotator's first photo. 0: no quiz. It begins once there are as many gold photos.")
            >
                <input
                    class="input input-short" id="quiz-length" name="quiz_length" type="number" min="0" max="50" required
                    value=settings.quiz_length.to_string() aria-describedby=described_by("quiz-length")
                />
            </Field>
            <Field id="pass-percent" label=t!("Right answers that pass, in percent") error=of_field("quiz_pass_mark")>
                <input
                    class="input input-short" id="pass-percent" name="pass_percent" type="number" min="0" max="100" step="any"
                    required value=percent(settings.quiz_pass_mark) aria-describedby=described_by("pass-percent")
                />
            </Field>
            <label class="check">
                <input type="checkbox" name="quiz_repeats" value="true" checked=settings.quiz_repeats/>
                {t!("Who fails may repeat it with other gold photos; otherwise a lead decides")}
            </label>
            <div class="row"><Button submit=true weight=Weight::Primary busy=save.pending()>{t!("Save")}</Button></div>
        </ActionForm>
    }
}
