//! Gold photos: what is gold, how it comes to be, and how it is used.

mod list;
mod make;
mod settings;

use kenami_domain::view::gold::GoldSummary;
use leptos::prelude::*;

use self::{list::Answers, make::Make, settings::UseForm};
use super::project::use_project;
use crate::{
    api::gold::{MakeManyGold, PutGold, RemoveGold, UseGold, gold_answers, read_gold},
    components::{
        alert::ErrorAlert,
        loaded::{loaded, loaded_both},
        page::PageHeader,
    },
    text,
};

/// The page for leads.
#[component]
pub fn GoldPage() -> impl IntoView {
    let project = use_project();
    let make = ServerAction::<MakeManyGold>::new();
    let put = ServerAction::<PutGold>::new();
    let remove = ServerAction::<RemoveGold>::new();
    let save = ServerAction::<UseGold>::new();
    let versions = move || (make.version().get(), put.version().get(), remove.version().get());
    let state =
        Resource::new(move || (project.key.get(), versions(), save.version().get()), |(key, ..)| read_gold(key));
    let cursor = RwSignal::new(None::<i64>);
    // Made here: what is loaded again makes its parts anew.
    let table = RwSignal::new(String::new());
    let list = Resource::new(
        move || (project.key.get(), cursor.get(), versions()),
        |(key, cursor, _)| gold_answers(key, cursor),
    );
    let error = Signal::derive(move || remove.value().get().and_then(Result::err));
    view! {
        <PageHeader
            title=t!("Gold")
            lead=t!("Photos whose right answer is known. Annotators meet them in the quiz before their first photo and, without knowing, among the others; the report says how often they are right.")
        />
        {loaded(state, move |(summary, settings)| view! {
            <div class="columns columns-even">
                <section class="card">
                    <h2>{t!("How it is used")}</h2>
                    <UseForm settings save/>
                </section>
                <section class="card">
                    <h2>{t!("Make photos gold")}</h2>
                    <Figures summary/>
                    <Make summary make put table/>
                </section>
            </div>
        })}
        <section class="stack-s">
            <h2>{t!("Gold answers")}</h2>
            <ErrorAlert error/>
            {loaded_both(project.resource, list, move |project, page| view! { <Answers project page cursor remove/> })}
        </section>
    }
}

#[component]
fn Figures(
    /// What there is.
    summary: GoldSummary,
) -> impl IntoView {
    let figure = |name: &'static str, value: i64| {
        view! { <div class="figure"><dt>{name}</dt><dd>{text::number(value)}</dd></div> }
    };
    view! {
        <dl class="figures">
            {figure(t!("Gold photos"), summary.photos)}
            {figure(t!("Answers"), summary.answers)}
            {figure(t!("More with a decision"), summary.decided)}
        </dl>
    }
}
