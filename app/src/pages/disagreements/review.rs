//! One disagreement: the photo, the votes, the rules, the decision.

use kenami_domain::{
    gold,
    roles::Role,
    schema::Attribute,
    view::{
        guidelines::Guideline,
        review::{Decision, DecisionInput, Disagreement, QueueCause},
    },
};
use leptos::{ev, prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    decide::{DecisionForm, Draft, Key, cause_name, is_for_page, meaning},
    filter::Filter,
    opinion::ModelOpinion,
    votes::{DisputedRules, Standing, Votes},
};
use crate::{
    api::{self, ApiError, review},
    components::{
        alert::ErrorView,
        button::{Button, Weight},
        page::PageHeader,
        photo::{PhotoImage, Variant},
        time::Ago,
        toast::use_toasts,
    },
    text,
};

/// The review of one disagreement.
#[component]
pub fn Review(
    /// The disagreement.
    one: Disagreement,
    /// Guidelines of the annotated attributes.
    guides: Vec<Guideline>,
    /// The list that it stands in.
    queue: RwSignal<Vec<Disagreement>>,
    /// The list's filter.
    filter: Memo<Filter>,
    /// The project's key.
    key: String,
    /// The user's role.
    role: Role,
    /// Called when a decision was made or taken back.
    changed: Callback<()>,
) -> impl IntoView {
    let Some(guide) = guides.into_iter().find(|guide| guide.attribute.key == one.attribute) else {
        return view! { <ErrorView error=ApiError::NotFound("attribute".to_owned())/> }.into_any();
    };
    let attribute = guide.attribute.clone();
    let name = text::attribute_name(&attribute, text::language());
    let photo = one.photo.clone();
    let (photo_name, key_of_opinion) = (photo.name.clone(), key.clone());
    let neighbours = {
        let one = one.clone();
        let key = key.clone();
        Memo::new(move |_| queue.with(|queue| Neighbours::of(queue, &one, &filter.get(), &key)))
    };
    let desk = Desk {
        one: RwSignal::new(one.clone()),
        draft: RwSignal::new(Draft::new(None)),
        deciding: RwSignal::new(one.decision.is_none()),
        key: StoredValue::new(key.clone()),
        neighbours,
        lead: role == Role::Lead,
        changed,
    };
    let values: Vec<String> = attribute.values.iter().filter(|v| !v.retired).map(|v| v.key.clone()).collect();
    let navigate = use_navigate();
    Effect::new(move |_| {
        let (values, navigate) = (values.clone(), navigate.clone());
        let go = move |page: &str| navigate(page, NavigateOptions::default());
        let handle = window_event_listener(ev::keydown, move |event| {
            if is_for_page(&event)
                && let Some(key) = meaning(&event.key(), &values)
                && desk.press(key, &go)
            {
                event.prevent_default();
            }
        });
        on_cleanup(move || handle.remove());
    });
    let decide = Callback::new(move |()| desk.decide());
    let (of_votes, of_opinion) = (attribute.clone(), attribute.clone());
    let (of_form, of_history) = (attribute.clone(), attribute);
    view! {
        <PageHeader title=format!("{name}: {}", photo.name)>
            <a class="button button-quiet" href=move || neighbours.get().list>{t!("Back to the list")} " " <kbd>"Esc"</kbd></a>
            {move || neighbours.get().previous.map(|href| view! { <a class="button" href=href>{t!("Previous")} " " <kbd>"←"</kbd></a> })}
            {move || neighbours.get().next.map(|href| view! { <a class="button" href=href>{t!("Next")} " " <kbd>"→"</kbd></a> })}
        </PageHeader>
        <div class="review">
            <div class="stack">
                <div class="review-photo">
                    <PhotoImage project_key=key.clone() photo variant=Variant::Web class="review-image" eager=true/>
                </div>
                <DisputedRules votes=one.votes guide key/>
            </div>
            <div class="stack review-side">
                {move || view! { <Votes votes=desk.one.get().votes attribute=of_votes.clone()/> }}
                {one.opinion.map(|opinion| view! { <ModelOpinion opinion attribute=of_opinion photo=photo_name key=key_of_opinion/> })}
                {move || {
                    let attribute = of_form.clone();
                    match desk.one.get().decision {
                        Some(decision) if !desk.deciding.get() => {
                            view! { <Decided desk decision attribute/> }.into_any()
                        }
                        decision => {
                            let reason = decision.map(|decision| decision.reason).unwrap_or_default();
                            view! { <DecisionForm draft=desk.draft.get() attribute reason decide/> }.into_any()
                        }
                    }
                }}
                <Earlier desk attribute=of_history/>
            </div>
        </div>
    }
    .into_any()
}

/// Where the ways out of a review lead.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Neighbours {
    list: String,
    previous: Option<String>,
    next: Option<String>,
}

impl Neighbours {
    fn of(queue: &[Disagreement], one: &Disagreement, filter: &Filter, key: &str) -> Self {
        let page = |photo_id, attribute| format!("/p/{key}/disagreements{}", filter.href_of(photo_id, attribute));
        if let Some(errors) = &filter.errors {
            let here = errors.photos.iter().position(|id| *id == one.photo.id);
            let href = |index: usize| errors.photos.get(index).map(|id| page(*id, &one.attribute));
            return Self {
                list: filter.back(key),
                previous: here.and_then(|here| here.checked_sub(1)).and_then(href),
                next: href(here.map_or(0, |here| here + 1)),
            };
        }
        let same = |other: &&Disagreement| other.photo.id == one.photo.id && other.attribute == one.attribute;
        let here = queue.iter().position(|other| same(&other));
        let href = |index: usize| queue.get(index).map(|other| page(other.photo.id, &other.attribute));
        Self {
            list: filter.back(key),
            previous: here.and_then(|here| here.checked_sub(1)).and_then(href),
            next: match here {
                Some(here) => href(here + 1),
                // Decided meanwhile, and gone from the list: the first that lies behind it where the list goes by photo id.
                None => href(match filter.cause {
                    QueueCause::Differ | QueueCause::Unsure | QueueCause::Gold => {
                        queue.iter().position(|other| other.photo.id >= one.photo.id).unwrap_or(0)
                    }
                    QueueCause::Uncertain | QueueCause::Model => 0,
                }),
            },
        }
    }
}

/// What the parts of the review share.
#[derive(Clone, Copy)]
struct Desk {
    one: RwSignal<Disagreement>,
    draft: RwSignal<Draft>,
    /// The form shows, though a decision may stand.
    deciding: RwSignal<bool>,
    key: StoredValue<String>,
    neighbours: Memo<Neighbours>,
    /// The user leads the project.
    lead: bool,
    changed: Callback<()>,
}

impl Desk {
    /// Does what a key means; false if it means nothing now.
    fn press(self, key: Key, go: &dyn Fn(&str)) -> bool {
        let deciding = self.deciding.get_untracked();
        let draft = self.draft.get_untracked();
        let neighbours = self.neighbours.get_untracked();
        match key {
            Key::Answer(answer) if deciding => draft.answer.set(Some(answer)),
            Key::Cause(cause) if deciding => draft.cause.set(Some(cause)),
            Key::Reason if deciding => {
                if let Some(field) = draft.reason.get_untracked() {
                    let _ = field.focus();
                }
            }
            Key::Enter if deciding => self.decide(),
            Key::Enter => go(neighbours.next.as_ref().unwrap_or(&neighbours.list)),
            Key::Back => go(&neighbours.list),
            Key::Step(true) => match &neighbours.next {
                Some(next) => go(next),
                None => return false,
            },
            Key::Step(false) => match &neighbours.previous {
                Some(previous) => go(previous),
                None => return false,
            },
            Key::Answer(_) | Key::Cause(_) | Key::Reason => return false,
        }
        true
    }

    fn decide(self) {
        let draft = self.draft.get_untracked();
        if draft.busy.get_untracked() {
            return;
        }
        let Some((answer, cause, reason)) = draft.complete() else { return };
        let (photo_id, attribute) = self.one.with_untracked(|one| (one.photo.id, one.attribute.clone()));
        let decision = DecisionInput { photo_id, attribute, answer, cause, reason };
        draft.busy.set(true);
        let key = self.key.get_value();
        spawn_local(async move {
            let result = review::decide(key, decision).await;
            draft.busy.try_set(false);
            match result {
                Ok(decided) => {
                    self.one.try_set(decided);
                    self.deciding.try_set(false);
                    self.changed.try_run(());
                }
                Err(error) => {
                    draft.error.try_set(Some(error));
                }
            }
        });
    }
}

/// Decisions that were replaced or taken back. Fetched when somebody asks.
#[component]
fn Earlier(
    /// The review.
    desk: Desk,
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    let found = RwSignal::new(None::<Result<Vec<Decision>, ApiError>>);
    let fetch = move |event: ev::Event| {
        let open = event_target::<web_sys::Element>(&event).has_attribute("open");
        if !open {
            return;
        }
        let (photo_id, attribute) = desk.one.with_untracked(|one| (one.photo.id, one.attribute.clone()));
        let key = desk.key.get_value();
        spawn_local(async move {
            let decisions = review::decisions(key, photo_id, attribute).await;
            found.try_set(Some(decisions));
        });
    };
    view! {
        <details class="earlier" on:toggle=fetch>
            <summary>{t!("History of decisions")}</summary>
            {move || match found.get() {
                None => ().into_any(),
                Some(Err(error)) => view! { <ErrorView error/> }.into_any(),
                Some(Ok(decisions)) if decisions.is_empty() => view! { <p class="quiet">{t!("Nobody has decided this yet.")}</p> }.into_any(),
                Some(Ok(decisions)) => decisions
                    .into_iter()
                    .map(|decision| view! {
                        <p>
                            <b>{text::answer_name(&attribute, &decision.answer, text::language())}</b>
                            {t!(" ({cause}) by {person}, ", cause = cause_name(decision.cause), person = decision.reviewer)}
                            <Ago at=decision.created_at/>
                            {(!decision.reason.is_empty()).then(|| view! { <br/> {decision.reason.clone()} })}
                        </p>
                    })
                    .collect_view()
                    .into_any(),
            }}
        </details>
    }
}

/// The decision that stands, with the ways to change it.
#[component]
fn Decided(
    /// The review.
    desk: Desk,
    /// The decision.
    decision: Decision,
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    let toasts = use_toasts();
    let standing = decision.clone();
    let change = move |_| {
        desk.draft.set(Draft::new(Some(&standing)));
        desk.deciding.set(true);
    };
    let reopen = move |_| {
        let (photo_id, attribute) = desk.one.with_untracked(|one| (one.photo.id, one.attribute.clone()));
        let key = desk.key.get_value();
        spawn_local(async move {
            match review::reopen(key.clone(), photo_id, attribute.clone()).await {
                Ok(()) => {
                    desk.draft.try_set(Draft::new(None));
                    // Read again: names are hidden while nothing is decided.
                    if let Ok(open) = review::one_disagreement(key, photo_id, attribute).await {
                        desk.one.try_set(open);
                    }
                    desk.deciding.try_set(true);
                    desk.changed.try_run(());
                }
                Err(error) => toasts.bad(error.to_string()),
            }
        });
    };
    let next = move || desk.neighbours.with(|n| n.next.clone().unwrap_or_else(|| n.list.clone()));
    // Leads alone, and a decision that leaves it open cannot be right.
    let may_be_gold = desk.lead && gold::can_be_right(&decision.answer);
    let make_gold = move |_| {
        let (photo_id, attribute) = desk.one.with_untracked(|one| (one.photo.id, one.attribute.clone()));
        let key = desk.key.get_value();
        spawn_local(async move {
            match api::gold::make_gold(key, photo_id, attribute).await {
                Ok(()) => toasts.good(t!("This answer is gold now.")),
                Err(error) => toasts.bad(error.to_string()),
            }
        });
    };
    view! {
        <Standing decision attribute/>
        <div class="row">
            <a class="button button-primary" href=next>{t!("Next")} " " <kbd>"Enter"</kbd></a>
            <Button on:click=change>{t!("Change")}</Button>
            {may_be_gold.then(|| view! { <Button on:click=make_gold>{t!("Make gold")}</Button> })}
            <Button weight=Weight::Quiet on:click=reopen>{t!("Open again")}</Button>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::view::{errors::Sample, photo::PhotoCard};

    use super::{super::filter::ErrorPhotos, *};

    fn dispute(id: i64) -> Disagreement {
        Disagreement {
            photo: PhotoCard { id, name: format!("{id}.jpg"), width: 1, height: 1, given: Default::default() },
            attribute: "ear".into(),
            votes: Vec::new(),
            decision: None,
            opinion: None,
        }
    }

    #[test]
    fn the_neighbours_are_those_of_the_list() {
        let queue = [dispute(3), dispute(5), dispute(8)];
        let filter = Filter { attribute: Some("ear".into()), ..Filter::default() };
        let of = |id| Neighbours::of(&queue, &dispute(id), &filter, "pets");
        assert_eq!(of(3).previous, None);
        assert_eq!(of(3).next.as_deref(), Some("/p/pets/disagreements?attribute=ear&photo=5&of=ear"));
        assert_eq!(of(5).previous.as_deref(), Some("/p/pets/disagreements?attribute=ear&photo=3&of=ear"));
        assert_eq!(of(8).next, None);
        assert_eq!(
            of(4).next.as_deref(),
            Some("/p/pets/disagreements?attribute=ear&photo=5&of=ear"),
            "gone from the list"
        );
        assert_eq!(of(99).next.as_deref(), Some("/p/pets/disagreements?attribute=ear&photo=3&of=ear"));
        assert_eq!(of(8).list, "/p/pets/disagreements?attribute=ear");
    }

    #[test]
    fn errors_of_a_run_are_gone_through_in_their_page_s_order() {
        let errors = ErrorPhotos { run: 4, head: "ear".into(), sample: Sample::Test, photos: vec![9, 5, 7] };
        let filter = Filter { errors: Some(errors), ..Filter::default() };
        let of = |id| Neighbours::of(&[dispute(3)], &dispute(id), &filter, "pets");
        let review =
            |id: i64| format!("/p/pets/disagreements?head=ear&sample=test&run=4&photos=9,5,7&photo={id}&of=ear");
        assert_eq!((of(5).previous, of(5).next), (Some(review(9)), Some(review(7))));
        assert_eq!((of(9).previous, of(7).next), (None, None));
        assert_eq!(of(5).list, "/p/pets/runs/4/errors?head=ear&sample=test");
    }
}
