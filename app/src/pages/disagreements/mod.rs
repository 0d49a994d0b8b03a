//! Disagreements: where answers differ, how well annotators agree, and the reviewer's decisions.
//!
//! What shows is in the address (`?attribute=ear&a=drop&b=erect&decided=yes`, and `&photo=12&of=ear` for one of them), so
//! that the way back and links to a colleague work.

mod agreement;
mod decide;
mod filter;
mod list;
mod opinion;
mod queues;
mod review;
mod together;
mod votes;

pub use agreement::reading;
pub use filter::{ErrorPhotos, Filter};
pub use votes::tally;

use std::collections::BTreeSet;

use kenami_domain::roles::Role;
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

use self::{agreement::AgreementTable, filter::FilterBar, list::Listing, queues::Queues, review::Review};
use crate::{
    api::{self, ApiError, review::FindSuspects},
    components::{alert::ErrorView, loaded::loaded_both, page::PageHeader},
    pages::project::use_project,
};

/// The list of disagreements, and the review of one.
#[component]
pub fn DisagreementsPage() -> impl IntoView {
    let project = use_project();
    let query = use_query_map();
    let filter = Memo::new(move |_| query.with(Filter::from_query));
    let selected = Memo::new(move |_| query.with(filter::selected));
    // The list knows nothing of a run's photos, which a review may go through.
    let listed = Memo::new(move |_| Filter { errors: None, ..filter.get() });
    let cursor = RwSignal::new(None::<i64>);
    // Another filter begins at its first page. Not an effect: the list must not be asked for twice.
    let page_of = Memo::new(move |before: Option<&(String, Filter, Option<i64>)>| {
        let (key, filter) = (project.key.get(), filter.get());
        let changed = before.is_some_and(|(k, f, _)| *k != key || *f != filter);
        let cursor = if changed { None } else { cursor.get() };
        (key, filter, cursor)
    });
    Effect::new(move |before: Option<Filter>| {
        let now = filter.get();
        if before.is_some_and(|before| before != now) {
            cursor.set(None);
        }
        now
    });
    let guides = Resource::new(move || project.key.get(), api::guidelines::guidelines);
    let overview = Resource::new(
        move || project.key.get(),
        |key| async move {
            let pairs = api::review::disputed_pairs(key.clone()).await?;
            let agreement = api::review::agreement(key.clone()).await?;
            let suspects = api::review::read_suspects(key).await?;
            Ok::<_, ApiError>((pairs, agreement, suspects))
        },
    );
    let list = Resource::new(
        move || page_of.get(),
        |(key, filter, cursor)| api::review::disagreements(key, filter.to_store(cursor)),
    );
    let one = Resource::new(
        move || (project.key.get(), selected.get()),
        |(key, selected)| async move {
            match selected {
                Some((photo_id, attribute)) => {
                    let role = api::projects::read_project(key.clone()).await?.role;
                    let one = api::review::one_disagreement(key, photo_id, attribute).await?;
                    Ok((Some(one), role))
                }
                None => Ok((None, Role::Reviewer)),
            }
        },
    );
    // The review's neighbours. By an effect, that is in the browser alone: a decision changes the list, and must not take
    // the review away from under its reader.
    let queue = RwSignal::new(Vec::new());
    Effect::new(move |_| {
        if let Some(Ok(page)) = list.get() {
            queue.set(page.items);
        }
    });
    // Made here: what is loaded again makes its parts anew, while what showed still reads this.
    let chosen = RwSignal::new(BTreeSet::new());
    Effect::new(move |_| {
        page_of.track();
        chosen.set(BTreeSet::new());
    });
    let changed = move || {
        list.refetch();
        overview.refetch();
    };
    let decided = Callback::new(move |()| {
        chosen.set(BTreeSet::new());
        changed();
    });
    let find = ServerAction::<FindSuspects>::new();
    Effect::new(move |_| {
        if find.value().get().is_some_and(|found| found.is_ok()) {
            changed();
        }
    });
    view! {
        {move || match selected.get() {
            None => Either::Left(view! {
                <PageHeader title=t!("Disagreements") lead=t!("What annotators, and models, do not agree on.")>
                    <a class="button" href=move || format!("/p/{}/agreement", project.key.get())>{t!("Confused answers and figures")}</a>
                </PageHeader>
                {loaded_both(guides, overview, move |guides, (pairs, agreement, suspects)| {
                    let attributes: Vec<_> = guides.into_iter().map(|guide| guide.attribute).collect();
                    view! {
                        <AgreementTable attributes=attributes.clone() agreement/>
                        <Queues filter=listed suspects find key=project.key/>
                        <FilterBar filter=listed attributes=attributes.clone() pairs/>
                        <Listing list attributes filter=listed cursor key=project.key chosen decided/>
                    }
                })}
            }),
            Some(_) => Either::Right(loaded_both(guides, one, move |guides, (one, role)| match one {
                Some(one) => Either::Left(view! {
                    <Review one guides queue filter role key=project.key.get_untracked() changed=Callback::new(move |()| changed())/>
                }),
                None => Either::Right(view! { <ErrorView error=ApiError::NotFound("disagreement".to_owned())/> }),
            })),
        }}
    }
}
