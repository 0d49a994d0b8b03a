//! Which disagreements show, as the address says it.

use kenami_domain::{
    schema::Attribute,
    view::{
        errors::Sample,
        review::{DisagreementFilter, DisputedPair, QueueCause},
    },
};
use leptos::{prelude::*, tachys::view::any_view::IntoAny};
use leptos_router::params::ParamsMap;

use crate::{
    pages::runs::errors::{errors_query, sample_of},
    text,
};

/// Which disagreements show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The queue.
    pub cause: QueueCause,
    /// Attribute key; all if none.
    pub attribute: Option<String>,
    /// Two answer keys that stand against each other.
    pub pair: Option<(String, String)>,
    /// Also those that have been decided.
    pub decided: bool,
    /// Photos of a run's errors that are gone through instead of the queue.
    pub errors: Option<ErrorPhotos>,
}

/// Photos that stand together on the page of a run's errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPhotos {
    /// The run.
    pub run: i64,
    /// Key of the attribute whose head errs.
    pub head: String,
    /// Which photos the page shows.
    pub sample: Sample,
    /// Ids, in the page's order.
    pub photos: Vec<i64>,
}

impl ErrorPhotos {
    fn from_query(query: &ParamsMap) -> Option<Self> {
        Some(Self {
            run: query.get("run")?.parse().ok()?,
            head: query.get("head")?,
            sample: sample_of(query),
            photos: query.get("photos")?.split(',').filter_map(|id| id.parse().ok()).collect(),
        })
    }

    fn address(&self) -> String {
        let photos: Vec<String> = self.photos.iter().map(i64::to_string).collect();
        format!("{}&run={}&photos={}", errors_query(Some(&self.head), self.sample), self.run, photos.join(","))
    }
}

impl Filter {
    /// The filter in an address.
    pub fn from_query(query: &ParamsMap) -> Self {
        let get = |name: &str| query.get(name).filter(|value| !value.is_empty());
        Self {
            cause: get("cause").and_then(|cause| cause.parse().ok()).unwrap_or_default(),
            attribute: get("attribute"),
            pair: get("a").zip(get("b")),
            decided: get("decided").is_some(),
            errors: ErrorPhotos::from_query(query),
        }
    }

    /// The filter as the store takes it.
    pub fn to_store(&self, cursor: Option<i64>) -> DisagreementFilter {
        DisagreementFilter {
            cause: self.cause,
            attribute: self.attribute.clone(),
            pair: self.pair.clone(),
            decided: self.decided,
            cursor,
        }
    }

    /// The list's address with this filter. Keys need no escaping.
    pub fn href(&self) -> String {
        self.with("")
    }

    /// Where the way back from one disagreement leads: this list, or the page of the run's errors.
    pub fn back(&self, project: &str) -> String {
        match &self.errors {
            Some(ErrorPhotos { run, head, sample, .. }) => {
                format!("/p/{project}/runs/{run}/errors?{}", errors_query(Some(head), *sample))
            }
            None => format!("/p/{project}/disagreements{}", self.href()),
        }
    }

    /// The address of one disagreement that keeps this filter for the way back.
    pub fn href_of(&self, photo_id: i64, attribute: &str) -> String {
        self.with(&format!("photo={photo_id}&of={attribute}"))
    }

    fn with(&self, more: &str) -> String {
        let mut parts = Vec::new();
        if self.cause != QueueCause::default() {
            parts.push(format!("cause={}", self.cause.as_str()));
        }
        if let Some(attribute) = &self.attribute {
            parts.push(format!("attribute={attribute}"));
        }
        if let Some((a, b)) = &self.pair {
            parts.push(format!("a={a}&b={b}"));
        }
        if self.decided {
            parts.push("decided=yes".to_owned());
        }
        parts.extend(self.errors.as_ref().map(ErrorPhotos::address));
        if !more.is_empty() {
            parts.push(more.to_owned());
        }
        format!("?{}", parts.join("&"))
    }
}

/// The disagreement in an address: photo and attribute.
pub fn selected(query: &ParamsMap) -> Option<(i64, String)> {
    Some((query.get("photo")?.parse().ok()?, query.get("of")?))
}

/// The filters, as links: each says how many photos it leaves.
#[component]
pub fn FilterBar(
    /// The filter in use.
    filter: Memo<Filter>,
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The pairs that occur.
    pairs: Vec<DisputedPair>,
) -> impl IntoView {
    let language = text::language();
    let attributes_of = attributes.iter().map(|a| (Some(a.key.clone()), text::attribute_name(a, language)));
    let choices: Vec<_> = std::iter::once((None, t!("All attributes").to_owned())).chain(attributes_of).collect();
    let attribute_links = choices
        .into_iter()
        .map(|(attribute, name)| {
            let mine = attribute.clone();
            let chosen = Memo::new(move |_| filter.with(|filter| filter.attribute == mine));
            let href = move || Filter { attribute: attribute.clone(), pair: None, ..filter.get() }.href();
            view! { <FilterLink href=Signal::derive(href) chosen name/> }
        })
        .collect_view();
    let pairs = StoredValue::new((attributes, pairs));
    let pair_links = move || {
        let now = filter.get();
        pairs.with_value(|(attributes, pairs)| {
            pairs
                .iter()
                .filter(|_| now.cause == QueueCause::Differ)
                .filter(|pair| now.attribute.as_ref().is_none_or(|attribute| *attribute == pair.attribute))
                .filter(|pair| now.decided || pair.open > 0)
                .map(|pair| pair_link(&now, attributes, pair).into_any())
                .collect_view()
        })
    };
    let decided_href = move || {
        let now = filter.get();
        Filter { decided: !now.decided, ..now }.href()
    };
    view! {
        <nav class="filters" aria-label=t!("Filters")>
            <div class="row">
                {attribute_links}
                <span class="filters-gap"></span>
                <FilterLink
                    href=Signal::derive(decided_href)
                    chosen=Memo::new(move |_| filter.with(|filter| filter.decided))
                    name=t!("With decided ones").to_owned()
                />
            </div>
            <div class="row filters-pairs">{pair_links}</div>
        </nav>
    }
}

#[component]
fn FilterLink(
    /// Where it leads.
    href: Signal<String>,
    /// It is the filter in use.
    chosen: Memo<bool>,
    /// Its words.
    name: String,
) -> impl IntoView {
    view! {
        <a class="button" class:button-chosen=chosen href=href aria-current=move || chosen.get().then_some("true")>
            {name}
        </a>
    }
}

/// A pair of answers with its photos; chosen, it leads back to all pairs.
fn pair_link(now: &Filter, attributes: &[Attribute], pair: &DisputedPair) -> impl IntoView + use<> {
    let language = text::language();
    let attribute = attributes.iter().find(|attribute| attribute.key == pair.attribute);
    let name = |key: &str| match attribute {
        Some(attribute) => text::answer_name(attribute, &key.into(), language),
        None => key.to_owned(),
    };
    let both = Some((pair.a.clone(), pair.b.clone()));
    let chosen = now.pair == both && now.attribute.as_deref() == Some(&pair.attribute);
    let target =
        Filter { attribute: Some(pair.attribute.clone()), pair: if chosen { None } else { both }, ..now.clone() };
    let of = match (&now.attribute, attribute) {
        (None, Some(attribute)) => format!("{}: ", text::attribute_name(attribute, language)),
        _ => String::new(),
    };
    let photos = if now.decided { pair.photos } else { pair.open };
    view! {
        <a
            class="button filters-pair"
            class:button-chosen=chosen
            href=target.href()
            aria-current=chosen.then_some("true")
            title=t!("{open} open of {photos}", open = pair.open, photos = pair.photos)
        >
            {format!("{of}{} / {}", name(&pair.a), name(&pair.b))}
            <b class="numeric">{text::number(photos)}</b>
        </a>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&'static str, &str)]) -> ParamsMap {
        let mut map = ParamsMap::new();
        for (name, value) in pairs {
            map.insert(*name, (*value).to_owned());
        }
        map
    }

    #[test]
    fn a_filter_survives_the_address() {
        let filter = Filter {
            attribute: Some("ear".into()),
            pair: Some(("drop".into(), "erect".into())),
            decided: true,
            ..Filter::default()
        };
        assert_eq!(filter.href(), "?attribute=ear&a=drop&b=erect&decided=yes");
        let read = query(&[
            ("attribute", "ear"),
            ("a", "drop"),
            ("b", "erect"),
            ("decided", "yes"),
            ("photo", "12"),
            ("of", "ear"),
        ]);
        assert_eq!(Filter::from_query(&read), filter);
        assert_eq!(selected(&read), Some((12, "ear".into())));
        assert_eq!(filter.href_of(12, "ear"), "?attribute=ear&a=drop&b=erect&decided=yes&photo=12&of=ear");
        assert_eq!(filter.back("pets"), "/p/pets/disagreements?attribute=ear&a=drop&b=erect&decided=yes");
    }

    #[test]
    fn photos_of_a_run_s_errors_survive_the_address() {
        let errors = ErrorPhotos { run: 4, head: "breed".into(), sample: Sample::Unseen, photos: vec![9, 5] };
        let filter = Filter { errors: Some(errors), ..Filter::default() };
        assert_eq!(filter.href_of(5, "ear"), "?head=breed&run=4&photos=9,5&photo=5&of=ear");
        let read = query(&[("head", "breed"), ("run", "4"), ("photos", "9,5"), ("photo", "5"), ("of", "ear")]);
        assert_eq!(Filter::from_query(&read), filter);
        assert_eq!(filter.back("pets"), "/p/pets/runs/4/errors?head=breed");
    }

    #[test]
    fn a_queue_survives_the_address() {
        let filter = Filter { cause: QueueCause::Model, ..Filter::default() };
        assert_eq!(filter.href_of(3, "ear"), "?cause=model&photo=3&of=ear");
        assert_eq!(Filter::from_query(&query(&[("cause", "model")])), filter);
        assert_eq!(Filter::from_query(&query(&[("cause", "mood")])), Filter::default());
    }

    #[test]
    fn half_a_pair_or_photo_is_none() {
        let read = query(&[("a", "drop"), ("photo", "x"), ("of", "ear")]);
        assert_eq!(Filter::from_query(&read), Filter::default());
        assert_eq!(selected(&read), None);
        assert_eq!(selected(&query(&[("photo", "12")])), None);
    }
}
