//! Attributes and their values: what there is, how it is changed with its labels, and what was changed.

mod cards;
mod change;
mod forms;
mod given;
mod history;
mod map;
mod rename;

use kenami_domain::{
    schema::{Attribute, AttributeKind},
    view::schema_change::SchemaChange,
};
use leptos::{prelude::*, task::spawn_local};

pub use self::change::ChangeForm;
use self::{cards::AttributeCard, change::ChangeDialog, given::GivenCard, history::History};
use super::project::use_project;
use crate::{
    api::{
        ApiError,
        schema::{UndoSchemaChange, change_schema, schema_attributes, schema_changes},
    },
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        loaded::loaded_both,
        page::PageHeader,
    },
};

/// What a lead is about to change: a form of its own each.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// An attribute more.
    AddAttribute,
    /// Other names for an attribute and its values, or for one value.
    Rename(Attribute, Option<String>),
    /// An attribute goes into another.
    MergeAttribute(Attribute),
    /// An attribute is asked for no more.
    RetireAttribute(Attribute),
    /// A retired attribute is asked for again.
    RestoreAttribute(Attribute),
    /// A value more.
    AddValue(Attribute),
    /// A value becomes another.
    MergeValue(Attribute, String),
    /// A value becomes several.
    SplitValue(Attribute, String),
    /// A value is offered no more.
    RetireValue(Attribute, String),
    /// A retired value is offered again.
    RestoreValue(Attribute, String),
}

/// What rows and cards call.
#[derive(Clone, Copy)]
struct Ways {
    /// Opens a form.
    ask: Callback<Form>,
    /// Makes a change that needs no form.
    make: Callback<SchemaChange>,
}

/// The page for leads.
#[component]
pub fn SchemaPage() -> impl IntoView {
    let project = use_project();
    let undo = ServerAction::<UndoSchemaChange>::new();
    let made = RwSignal::new(0_u32);
    let versions = move || (undo.version().get(), made.get());
    let attributes = Resource::new(move || (project.key.get(), versions()), |(key, _)| schema_attributes(key));
    let changes = Resource::new(move || (project.key.get(), versions()), |(key, _)| schema_changes(key));
    let (open, form) = (RwSignal::new(false), RwSignal::new(None::<Form>));
    let failed = RwSignal::new(None::<ApiError>);
    let error = Signal::derive(move || failed.get().or_else(|| undo.value().get().and_then(Result::err)));
    let ask = Callback::new(move |wanted| {
        form.set(Some(wanted));
        open.set(true);
    });
    let done = Callback::new(move |()| {
        made.update(|made| *made += 1);
        project.resource.refetch();
    });
    let make = Callback::new(move |change| {
        let key = project.key.get_untracked();
        spawn_local(async move {
            match change_schema(key, change).await {
                Ok(_) => {
                    failed.set(None);
                    done.run(());
                }
                Err(error) => failed.set(Some(error)),
            }
        });
    });
    let ways = Ways { ask, make };
    // Dialogs read it wherever they are.
    let all = RwSignal::new(Vec::new());
    Effect::new(move |_| {
        if let Some(Ok(attributes)) = attributes.get() {
            all.set(attributes);
        }
    });
    view! {
        <PageHeader
            title=t!("Attributes")
            lead=t!("What annotators are asked, and what they may answer. A change shows first what it does to labels; none is lost, and the newest change can be undone until somebody labels on top of it.")
        >
            <Button weight=Weight::Primary on:click=move |_| ask.run(Form::AddAttribute)>{t!("Add an attribute")}</Button>
        </PageHeader>
        <ErrorAlert error/>
        {loaded_both(attributes, changes, move |attributes, changes| {
            let order: Vec<String> =
                attributes.iter().filter(|one| !one.retired).map(|one| one.attribute.key.clone()).collect();
            let cards: Vec<_> = attributes.into_iter().map(|one| (one, order.clone())).collect();
            let cards = move || cards.clone();
            view! {
                <div class="schema-cards">
                    // By all that they show: a card that changes is made anew, with buttons that know the change.
                    <For each=cards key=|card| format!("{card:?}") children=move |(one, order)| match one.attribute.kind {
                        AttributeKind::Given => view! { <GivenCard one order ways/> }.into_any(),
                        AttributeKind::Annotated => view! { <AttributeCard one order ways/> }.into_any(),
                    }/>
                </div>
                <History changes undo/>
            }
        })}
        <ChangeDialog open form all=all.into() done/>
    }
}
