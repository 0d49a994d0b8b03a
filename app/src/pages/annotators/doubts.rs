//! Doubts about an annotator's labels: which, how many, and taking them back.

use kenami_domain::{
    schema::AttributeKind,
    view::{
        project::Project,
        report::{DoubtCount, DoubtInput, DoubtRow},
    },
};
use leptos::{either::Either, prelude::*, task::spawn_local};

use crate::{
    api::{
        ApiError,
        reports::{UndoDoubt, count_doubt, doubt_labels},
    },
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        dialog::Dialog,
        field::Field,
        page::Table,
        time::{Ago, start_of_day},
        toast::{Toasts, use_toasts},
    },
    pages::project::use_project,
    text,
};

/// A doubt that is being written. Copies are handles to the same one.
#[derive(Clone, Copy, Default)]
pub struct Draft {
    attribute: RwSignal<String>,
    since: RwSignal<String>,
    reason: RwSignal<String>,
    /// The question shows.
    open: RwSignal<bool>,
    busy: RwSignal<bool>,
    count: RwSignal<Option<DoubtCount>>,
    error: RwSignal<Option<ApiError>>,
    /// Counts up when labels have been put in doubt.
    pub changed: RwSignal<u32>,
}

impl Draft {
    fn input(self) -> DoubtInput {
        DoubtInput {
            attribute: Some(self.attribute.get_untracked()).filter(|key| !key.is_empty()),
            since: start_of_day(&self.since.get_untracked()),
            reason: self.reason.get_untracked(),
        }
    }

    /// Asks how many labels are meant.
    fn ask(self, key: String, annotator_id: i64) {
        self.busy.set(true);
        spawn_local(async move {
            let counted = count_doubt(key, annotator_id, self.input()).await;
            self.busy.try_set(false);
            match counted {
                Ok(found) => {
                    self.error.try_set(None);
                    self.count.try_set(Some(found));
                    self.open.try_set(true);
                }
                Err(failed) => drop(self.error.try_set(Some(failed))),
            }
        });
    }

    /// Puts them in doubt.
    fn doubt(self, key: String, annotator_id: i64, toasts: Toasts) {
        self.busy.set(true);
        spawn_local(async move {
            let done = doubt_labels(key, annotator_id, self.input()).await;
            self.busy.try_set(false);
            self.open.try_set(false);
            match done {
                Ok(done) => {
                    self.error.try_set(None);
                    toasts.good(n!(done.labels, "{count} label is in doubt.", "{count} labels are in doubt."));
                    self.changed.try_update(|n| *n += 1);
                }
                Err(failed) => drop(self.error.try_set(Some(failed))),
            }
        });
    }
}

/// Chooses labels, shows how many they are, and puts them in doubt once that is confirmed.
#[component]
pub fn DoubtForm(
    /// The project.
    project: Project,
    /// The annotator.
    annotator_id: i64,
    /// What is being written.
    draft: Draft,
) -> impl IntoView {
    let Draft { attribute, since, reason, open, busy, count, error, .. } = draft;
    let toasts = use_toasts();
    let key = use_project().key;
    let ask = move |_| draft.ask(key.get_untracked(), annotator_id);
    let doubt = move |_| draft.doubt(key.get_untracked(), annotator_id, toasts);
    let language = text::language();
    let options = project
        .attributes
        .iter()
        .filter(|attribute| attribute.kind == AttributeKind::Annotated)
        .map(|attribute| view! { <option value=attribute.key.clone()>{text::attribute_name(attribute, language)}</option> })
        .collect_view();
    view! {
        <ErrorAlert error/>
        <div class="form-inline">
            <Field id="doubt-attribute" label=t!("Attribute")>
                <select class="select" id="doubt-attribute" prop:value=attribute on:change=move |event| attribute.set(event_target_value(&event))>
                    <option value="">{t!("All")}</option>
                    {options}
                </select>
            </Field>
            <Field id="doubt-since" label=t!("Given since (UTC)") hint=t!("Empty: all of them.")>
                <input class="input" id="doubt-since" type="date" prop:value=since on:input=move |event| since.set(event_target_value(&event))/>
            </Field>
            <Field id="doubt-reason" label=t!("Why")>
                <input class="input" id="doubt-reason" maxlength="1000" prop:value=reason on:input=move |event| reason.set(event_target_value(&event))/>
            </Field>
            <Button busy on:click=ask>{t!("Put in doubt…")}</Button>
        </div>
        <Dialog open title=t!("Put labels in doubt?")>
            {move || count.get().map(|count| view! {
                <p>
                    {text::arranged(
                        t!("{labels} on {photos} no longer count. The photos go back to the queue, for other annotators."),
                        [
                            ("labels", view! { <b>{n!(count.labels, "{count} label", "{count} labels")}</b> }.into_any()),
                            ("photos", n!(count.photos, "{count} photo", "{count} photos").into_any()),
                        ],
                    )}
                </p>
                <div class="dialog-actions">
                    <Button on:click=move |_| open.set(false)>{t!("Keep them")}</Button>
                    <Button weight=Weight::Danger busy disabled=count.labels == 0 on:click=doubt>{t!("Put in doubt")}</Button>
                </div>
            })}
        </Dialog>
    }
}

/// Doubts that stand and doubts that were taken back.
#[component]
pub fn Doubts(
    /// The project.
    project: Project,
    /// The annotator.
    annotator_id: i64,
    /// Newest first.
    doubts: Vec<DoubtRow>,
    /// Takes one back.
    undo: ServerAction<UndoDoubt>,
) -> impl IntoView {
    let some = !doubts.is_empty();
    let rows = move || doubts.clone();
    some.then(|| {
        view! {
            <Table caption=t!("Doubts")>
                <thead><tr>
                    <th scope="col">{t!("Labels of")}</th><th scope="col" class="numeric">{t!("Labels")}</th>
                    <th scope="col" class="numeric">{t!("Photos")}</th><th scope="col">{t!("Why")}</th><th scope="col">{t!("By")}</th>
                    <th scope="col"><span class="visually-hidden">{t!("Actions")}</span></th>
                </tr></thead>
                <tbody>
                    // By key: what a button does on a click stays when the page is rendered again.
                    <For each=rows key=|doubt| (doubt.id, doubt.undone_at) let:doubt>
                        <Row project=project.clone() annotator_id doubt undo/>
                    </For>
                </tbody>
            </Table>
        }
    })
}

#[component]
fn Row(
    /// The project.
    project: Project,
    /// The annotator.
    annotator_id: i64,
    /// The doubt.
    doubt: DoubtRow,
    /// Takes it back.
    undo: ServerAction<UndoDoubt>,
) -> impl IntoView {
    let what = match &doubt.attribute {
        Some(key) => text::attribute_name_of(&project.attributes, key, text::language()),
        None => t!("all attributes").to_owned(),
    };
    let since = doubt.since.map_or_else(String::new, |at| t!(", since {date}", date = at.date()));
    let take_back = move |_| {
        undo.dispatch(UndoDoubt { key: project.key.clone(), annotator_id, doubt_id: doubt.id });
    };
    let end = match doubt.undone_at {
        Some(at) => {
            let when = [("time", view! { <Ago at/> }.into_any())];
            Either::Left(view! { <span class="quiet">{text::arranged(t!("taken back {time}"), when)}</span> })
        }
        None => Either::Right(view! { <Button on:click=take_back>{t!("Take back")}</Button> }),
    };
    view! {
        <tr>
            <th scope="row">{what}{since}</th>
            <td class="numeric">{text::number(doubt.labels)}</td>
            <td class="numeric">{text::number(doubt.photos)}</td>
            <td>{doubt.reason}</td>
            <td>{doubt.by}", "<Ago at=doubt.created_at/></td>
            <td class="end">{end}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_date_begins_at_midnight_utc() {
        assert_eq!(start_of_day("2026-11-27"), Some(datetime!(2026-11-27 00:00 UTC)));
        assert_eq!(start_of_day(""), None);
    }
}
