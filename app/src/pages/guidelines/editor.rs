//! The editor of the next version.

use kenami_domain::view::{guidelines::Guideline, project::Project};
use leptos::{prelude::*, task::spawn_local};

use super::{
    draft::{DraftState, RuleDraft, own_text, set_text},
    publish::PublishDialog,
    rule_editor::RuleEditor,
};
use crate::{
    api::{
        ApiError,
        guidelines::{discard_draft, save_draft},
    },
    components::{
        alert::{Alert, Tone},
        button::{Button, Weight},
        dialog::Dialog,
        field::{Field, described_by},
        markdown::Translated,
        toast::use_toasts,
    },
    text::{self, Language},
};

/// Edits the draft: introduction, a rule for each value with examples, what changed and why.
#[component]
pub fn Editor(
    /// The project.
    project: Project,
    /// The attribute's guideline as it was loaded.
    guideline: Guideline,
    /// The confused answers that the lead comes from.
    pair: Vec<String>,
    /// The editor closes; the guideline is to be loaded anew.
    done: Callback<()>,
) -> impl IntoView {
    let state = DraftState::new(&guideline, text::page_language());
    let attribute = StoredValue::new(guideline.attribute.clone());
    let project_key = StoredValue::new(project.key);
    let toasts = use_toasts();
    let error = RwSignal::new(None::<ApiError>);
    let publishing = RwSignal::new(false);
    let discarding = RwSignal::new(false);
    let dirty = Memo::new(move |_| state.is_dirty());
    warn_before_leaving(dirty);

    // What is typed goes to the server; true once it is there.
    let saving = RwSignal::new(false);
    let save = move || async move {
        let edit = untrack(|| state.edit());
        let key = attribute.with_value(|attribute| attribute.key.clone());
        saving.set(true);
        let saved = save_draft(project_key.get_value(), key, edit.clone()).await;
        saving.set(false);
        if let Ok(draft) = &saved {
            state.saved_as(edit, draft);
        }
        let went_well = saved.is_ok();
        error.set(saved.err());
        went_well
    };
    let save_only = move |_| {
        spawn_local(async move {
            save().await;
        })
    };
    // Publishing takes what is typed: it is saved first.
    let save_and_publish = move |_| {
        spawn_local(async move {
            let there = !dirty.get_untracked() && state.based_on.get_untracked().is_some();
            if there || save().await {
                publishing.set(true);
            }
        });
    };
    let discard = move |_| {
        spawn_local(async move {
            let key = attribute.with_value(|attribute| attribute.key.clone());
            let there = state.based_on.get_untracked().is_some();
            let result = if there { discard_draft(project_key.get_value(), key).await } else { Ok(()) };
            discarding.set(false);
            match result {
                Ok(()) => {
                    toasts.good(t!("The draft is gone; the version in force stands."));
                    done.run(());
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    let numbered = move || -> Vec<(usize, RuleDraft)> { state.rules.get().into_iter().enumerate().collect() };
    let about = (!pair.is_empty()).then(|| {
        let name = |key: &String| attribute.with_value(|of| text::answer_name(of, &key.as_str().into(), text::language()));
        let names = pair.iter().map(name).collect::<Vec<_>>().join(" / ");
        view! {
            <Alert>{t!("The photos are examples now: {names}. Say in the rules how to tell these answers apart, then publish.", names = names)}</Alert>
        }
    });
    let began = guideline.draft.as_ref().and_then(|draft| draft.created_by.clone());

    view! {
        <div class="stack">
            <div class="editor-bar">
                <span class="quiet">
                    {move || if dirty.get() { t!("Not saved yet") } else if state.based_on.get().is_some() { t!("Saved as a draft; only leads see it") } else { t!("No changes") }}
                    {began.map(|name| t!(" · begun by {name}", name = name))}
                </span>
                <span class="row">
                    <Button weight=Weight::Quiet on:click=move |_| discarding.set(true)>{t!("Discard")}</Button>
                    <Button on:click=move |_| done.run(()) disabled=dirty>{t!("Close")}</Button>
                    <Button busy=saving on:click=save_only>{t!("Save draft")}</Button>
                    <Button weight=Weight::Primary busy=saving on:click=save_and_publish>{t!("Publish…")}</Button>
                </span>
            </div>
            <SaveProblem error done/>
            {about}
            <LanguageTabs state/>
            <Introduction state/>
            <ol class="rules">
                <For each=numbered key=|(index, rule)| (*index, rule.value.get_value()) let((index, rule))>
                    <RuleEditor project_key=project_key.get_value() attribute=attribute.get_value() state rule index/>
                </For>
            </ol>
            <PublishDialog open=publishing project_key=project_key.get_value() attribute=attribute.get_value() state doubted=pair done/>
            <Dialog open=discarding title=t!("Discard the draft?")>
                <p>{t!("What the draft changes is lost. Published versions stay.")}</p>
                <div class="dialog-actions">
                    <Button on:click=move |_| discarding.set(false)>{t!("Keep it")}</Button>
                    <Button weight=Weight::Danger on:click=discard>{t!("Discard")}</Button>
                </div>
            </Dialog>
        </div>
    }
}

/// Why the draft could not be saved; where somebody else saved it meanwhile, a way on.
#[component]
fn SaveProblem(
    /// The last error.
    error: RwSignal<Option<ApiError>>,
    /// Closes the editor and loads anew.
    done: Callback<()>,
) -> impl IntoView {
    move || match error.get() {
        Some(ApiError::Conflict(message)) => view! {
            <Alert tone=Tone::Warning>
                <p>{message}</p>
                <p>{t!("Copy what you want to keep of your text first.")}</p>
                <Button on:click=move |_| done.run(())>{t!("Load what is there now")}</Button>
            </Alert>
        }
        .into_any(),
        Some(other) => view! { <Alert tone=Tone::Bad>{other.to_string()}</Alert> }.into_any(),
        None => ().into_any(),
    }
}

/// Which language is being edited, and how much is missing in each.
#[component]
fn LanguageTabs(
    /// The draft.
    state: DraftState,
) -> impl IntoView {
    let tabs = Language::ALL.map(|language| {
        let missing = Signal::derive(move || state.missing(language));
        view! {
            <button
                type="button" class="button" aria-pressed=move || (state.language.get() == language).to_string()
                on:click=move |_| state.language.set(language)
            >
                <span lang=language.code()>{language.own_name()}</span>
                {move || (missing.get() > 0).then(|| view! { " "<span class="badge badge-warning">{n!(missing.get(), "{count} missing", "{count} missing")}</span> })}
            </button>
        }
    });
    view! { <div class="row" role="group" aria-label=t!("Language of the texts")>{tabs}</div> }
}

#[component]
fn Introduction(
    /// The draft.
    state: DraftState,
) -> impl IntoView {
    let text = Signal::derive(move || state.introduction.with(|texts| own_text(texts, state.language.get())));
    view! {
        <section class="card">
            <div class="columns columns-even">
                <Field id="introduction" label=t!("Introduction") hint=t!("What to look at, and how the rules are applied. Markdown.")>
                    <textarea
                        class="textarea textarea-tall" id="introduction" aria-describedby=described_by("introduction")
                        lang=move || state.language.get().code() prop:value=text
                        on:input:target=move |event| {
                            let language = state.language.get_untracked();
                            state.introduction.update(|texts| set_text(texts, language, event.target().value()));
                        }
                    >{text.get_untracked()}</textarea>
                </Field>
                <div class="stack-s">
                    <span class="label">{t!("Preview")}</span>
                    <div class="preview">{move || view! { <Translated texts=state.introduction.get() language=state.language.get()/> }}</div>
                </div>
            </div>
        </section>
    }
}

/// The browser asks before it closes a page with unsaved text.
fn warn_before_leaving(dirty: Memo<bool>) {
    let handle = window_event_listener(leptos::ev::beforeunload, move |event| {
        if dirty.get_untracked() {
            event.prevent_default();
        }
    });
    on_cleanup(move || handle.remove());
}
