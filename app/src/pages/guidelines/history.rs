//! The published versions, each to be read again and compared with the one in force.

use kenami_domain::view::guidelines::{Guideline, GuidelineText, GuidelineVersion, VersionEffect};
use leptos::{either::Either, prelude::*};

use super::{changes::Changes, effect::Effect, reading::Reading};
use crate::{
    api::{ApiError, guidelines::read_guideline_version},
    components::{
        alert::{EmptyState, ErrorView, Loading},
        button::{Button, Weight},
        dialog::Dialog,
        time::Ago,
    },
};

/// All versions, newest first.
#[component]
pub fn History(
    /// The project's key.
    project_key: String,
    /// The attribute's guideline.
    guideline: Guideline,
    /// What each version did to agreement, for reviewers and leads.
    effects: RwSignal<Vec<VersionEffect>>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let shown = RwSignal::new(None::<GuidelineVersion>);
    let comparing = RwSignal::new(true);
    let (key, attribute) = (project_key.clone(), guideline.attribute.key.clone());
    let load = Action::new(move |version: &i32| read_guideline_version(key.clone(), attribute.clone(), *version));
    let show = Callback::new(move |version: GuidelineVersion| {
        load.dispatch(version.version);
        comparing.set(true);
        shown.set(Some(version));
        open.set(true);
    });
    let current = guideline.current.as_ref().map(|version| version.version);
    let items = guideline
        .history
        .iter()
        .map(|version| view! { <VersionItem version=version.clone() in_force=current == Some(version.version) show effects/> })
        .collect_view();
    let list = if guideline.history.is_empty() {
        Either::Left(view! { <EmptyState title=t!("No versions yet")/> })
    } else {
        Either::Right(view! { <ol class="versions">{items}</ol> })
    };
    view! {
        <aside class="card" aria-labelledby="history">
            <h2 id="history">{t!("History")}</h2>
            {list}
            <Dialog open title=t!("Earlier version") wide=true>
                {
                    let (guideline, project_key) = (guideline.clone(), project_key.clone());
                    move || {
                        let version = shown.get()?;
                        let (guideline, project_key) = (guideline.clone(), project_key.clone());
                        Some(view! {
                            <VersionHead version comparing/>
                            {move || match load.value().get() {
                                _ if load.pending().get() => view! { <Loading what=t!("the version")/> }.into_any(),
                                None => ().into_any(),
                                Some(Err(error)) => failed(error),
                                Some(Ok(old)) => version_body(&project_key, &guideline, old, comparing.get()),
                            }}
                        })
                    }
                }
            </Dialog>
        </aside>
    }
}

fn failed(error: ApiError) -> AnyView {
    view! { <ErrorView error/> }.into_any()
}

fn version_body(project_key: &str, guideline: &Guideline, old: GuidelineText, comparing: bool) -> AnyView {
    let attribute = guideline.attribute.clone();
    if comparing {
        view! { <Changes attribute old new=guideline.text.clone()/> }.into_any()
    } else {
        view! { <Reading project_key=project_key.to_owned() attribute text=old/> }.into_any()
    }
}

#[component]
fn VersionHead(
    /// The version.
    version: GuidelineVersion,
    /// Whether its changes to the one in force show, or its text.
    comparing: RwSignal<bool>,
) -> impl IntoView {
    let pressed = move |value: bool| move || if comparing.get() == value { "true" } else { "false" };
    view! {
        <div class="row row-apart">
            <p><b>{t!("Version {version}", version = version.version)}</b>" "<span class="quiet">{version.change_note}</span></p>
            <span class="row">
                <button type="button" class="button" aria-pressed=pressed(true) on:click=move |_| comparing.set(true)>{t!("Changes since then")}</button>
                <button type="button" class="button" aria-pressed=pressed(false) on:click=move |_| comparing.set(false)>{t!("Its text")}</button>
            </span>
        </div>
    }
}

#[component]
fn VersionItem(
    /// The version.
    version: GuidelineVersion,
    /// It is the one in force.
    in_force: bool,
    /// Shows it.
    show: Callback<GuidelineVersion>,
    /// What each version did to agreement.
    effects: RwSignal<Vec<VersionEffect>>,
) -> impl IntoView {
    let number = version.version;
    let effect = move || {
        let effect = effects.with(|effects| effects.iter().find(|effect| effect.version == number).cloned());
        effect.map(|effect| view! { <Effect effect/> })
    };
    let by = version.published_by.clone().unwrap_or_else(|| t!("imported").to_owned());
    let view_button = (!in_force).then(|| {
        let label = t!("View version {version}", version = version.version);
        let version = version.clone();
        view! { <Button weight=Weight::Quiet attr:aria-label=label on:click=move |_| show.run(version.clone())>{t!("View")}</Button> }
    });
    view! {
        <li class="version">
            <div class="row row-apart">
                <b>{t!("Version {version}", version = version.version)}</b>
                {in_force.then(|| view! { <span class="badge badge-good">{t!("in force")}</span> })}
                {view_button}
            </div>
            <p>{version.change_note}</p>
            <p class="quiet">{by}" · "<Ago at=version.published_at/>" · "{n!(version.labels, "{count} label", "{count} labels")}</p>
            {effect}
        </li>
    }
}
