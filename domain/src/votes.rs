//! A compact table of votes: names are turned into integers once, and what computes on votes works on integers.

use std::collections::{BTreeMap, HashMap};

/// Names in order of arrival, each with a number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interner {
    ids: HashMap<Box<str>, u32, foldhash::fast::RandomState>,
    names: Vec<String>,
    /// The name that was asked for last: files are often sorted.
    last: u32,
}

impl Interner {
    /// The name's number; a new one for a new name.
    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        if self.names.get(self.last as usize).is_none_or(|last| last != name) {
            self.last = self.ids.get(name).copied().unwrap_or_else(|| self.add(name));
        }
        self.last
    }

    fn add(&mut self, name: &str) -> u32 {
        let id = u32::try_from(self.names.len()).expect("fewer than 2^32 names");
        self.ids.insert(name.into(), id);
        self.names.push(name.to_owned());
        id
    }

    /// The name behind a number that [`Self::intern`] gave.
    pub(crate) fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    fn get(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }
}

/// One vote by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vote {
    item: u32,
    annotator: u32,
    answer: u32,
    /// Its place among all votes, in order of arrival.
    number: u32,
}

/// The votes on one attribute, with the answers that occur.
#[derive(Debug, Clone, Default)]
struct AttributeVotes {
    answers: Interner,
    votes: Vec<Vote>,
}

/// One vote by names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VoteRow<'a> {
    /// What was judged: a photo's name or a file's hash.
    pub item: &'a str,
    /// Who judged.
    pub annotator: &'a str,
    /// The attribute's key.
    pub attribute: &'a str,
    /// The answer's key; `not_visible` and `unsure` are answers.
    pub answer: &'a str,
}

/// Votes of any number of annotators on any number of items and attributes.
///
/// A repeated (item, annotator, attribute) is a repeated reading and is kept, in order of arrival.
#[derive(Debug, Clone, Default)]
pub struct VoteTable {
    items: Interner,
    annotators: Interner,
    attributes: Interner,
    by_attribute: Vec<AttributeVotes>,
    len: u32,
}

impl VoteTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one vote; all four are taken letter for letter. Votes are numbered from 0 in the order in which they are added:
    /// what else is known of a vote (its week, its guideline version) can be kept beside the table by that number.
    ///
    /// # Panics
    /// At 2^32 votes.
    pub fn push(&mut self, item: &str, annotator: &str, attribute: &str, answer: &str) {
        let attribute = self.attributes.intern(attribute) as usize;
        if attribute == self.by_attribute.len() {
            self.by_attribute.push(AttributeVotes::default());
        }
        let votes = &mut self.by_attribute[attribute];
        votes.votes.push(Vote {
            item: self.items.intern(item),
            annotator: self.annotators.intern(annotator),
            answer: votes.answers.intern(answer),
            number: self.len,
        });
        self.len = self.len.checked_add(1).expect("fewer than 2^32 votes");
    }

    /// Votes in the table, repeated readings included.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no vote.
    pub fn is_empty(&self) -> bool {
        self.by_attribute.is_empty()
    }

    /// Items in order of arrival.
    pub fn items(&self) -> &[String] {
        &self.items.names
    }

    /// Annotators in order of arrival.
    pub fn annotators(&self) -> &[String] {
        &self.annotators.names
    }

    /// Attributes in order of arrival.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.names.iter().map(String::as_str)
    }

    /// All votes, attribute by attribute, in order of arrival.
    pub fn rows(&self) -> impl Iterator<Item = VoteRow<'_>> {
        self.numbered().map(|(_, row)| row)
    }

    /// As [`Self::rows`], each with its number (see [`Self::push`]).
    pub fn numbered(&self) -> impl Iterator<Item = (usize, VoteRow<'_>)> {
        let attributes = self.attributes.names.iter().zip(&self.by_attribute);
        attributes
            .flat_map(move |(attribute, votes)| votes.votes.iter().map(move |vote| self.row(attribute, votes, vote)))
    }

    fn row<'a>(&'a self, attribute: &'a str, votes: &'a AttributeVotes, vote: &Vote) -> (usize, VoteRow<'a>) {
        let row = VoteRow {
            item: &self.items.names[vote.item as usize],
            annotator: &self.annotators.names[vote.annotator as usize],
            attribute,
            answer: &votes.answers.names[vote.answer as usize],
        };
        (vote.number as usize, row)
    }

    /// The votes on one attribute, grouped by item; `None` where nobody voted on it.
    ///
    /// Items, annotators and answers are those that occur, sorted by name, so that no figure depends on the order of the
    /// votes (except that of repeated readings).
    pub fn ratings(&self, attribute: &str) -> Option<NamedRatings<'_>> {
        let votes = &self.by_attribute[self.attributes.get(attribute)? as usize];
        Some(self.named(votes, &votes.votes))
    }

    /// The votes on one attribute parted by `key`, which sees each vote and its number (see [`Self::push`]); votes without
    /// a key are in no part. Each part is as [`Self::ratings`] makes it.
    pub fn ratings_by<K: Ord>(
        &self,
        attribute: &str,
        mut key: impl FnMut(usize, &VoteRow<'_>) -> Option<K>,
    ) -> BTreeMap<K, NamedRatings<'_>> {
        let Some(place) = self.attributes.get(attribute) else { return BTreeMap::new() };
        let votes = &self.by_attribute[place as usize];
        let mut parts: BTreeMap<K, Vec<Vote>> = BTreeMap::new();
        for vote in &votes.votes {
            let (number, row) = self.row(&self.attributes.names[place as usize], votes, vote);
            if let Some(key) = key(number, &row) {
                parts.entry(key).or_default().push(*vote);
            }
        }
        parts.into_iter().map(|(key, part)| (key, self.named(votes, &part))).collect()
    }

    /// Some of one attribute's votes, grouped by item.
    fn named<'a>(&'a self, of: &'a AttributeVotes, votes: &[Vote]) -> NamedRatings<'a> {
        let (items, item_rank) = ranked(&self.items.names, votes.iter().map(|vote| vote.item));
        let (annotators, annotator_rank) = ranked(&self.annotators.names, votes.iter().map(|vote| vote.annotator));
        let (answers, answer_rank) = ranked(&of.answers.names, votes.iter().map(|vote| vote.answer));
        let rows = votes.iter().map(|vote| {
            let rating = Rating {
                annotator: annotator_rank[vote.annotator as usize],
                answer: answer_rank[vote.answer as usize],
            };
            (item_rank[vote.item as usize], rating)
        });
        let ratings = Ratings::new(items.len(), annotators.len(), answers.len(), rows);
        NamedRatings { ratings, items, annotators, answers }
    }
}

/// The names that are used, sorted, and each name's place among them (by its id; unused ids have a place without meaning).
fn ranked(names: &[String], used: impl Iterator<Item = u32>) -> (Vec<&str>, Vec<u32>) {
    let mut is_used = vec![false; names.len()];
    used.for_each(|id| is_used[id as usize] = true);
    let mut ids: Vec<u32> = (0..).zip(&is_used).filter_map(|(id, &used)| used.then_some(id)).collect();
    ids.sort_unstable_by(|&a, &b| names[a as usize].cmp(&names[b as usize]));
    let mut rank = vec![u32::MAX; names.len()];
    for (place, &id) in (0..).zip(&ids) {
        rank[id as usize] = place;
    }
    (ids.iter().map(|&id| names[id as usize].as_str()).collect(), rank)
}

/// One annotator's answer about an item, by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rating {
    /// The annotator, below [`Ratings::annotators`].
    pub annotator: u32,
    /// The answer, below [`Ratings::answers`].
    pub answer: u32,
}

/// One attribute's votes grouped by item (compressed sparse rows); in an item ordered by annotator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ratings {
    annotators: usize,
    answers: usize,
    offsets: Vec<usize>,
    ratings: Vec<Rating>,
}

impl Ratings {
    /// Groups `rows` of (item, rating) by item. Repeated readings keep their order.
    ///
    /// # Panics
    /// If a number is not below its bound.
    pub fn new(
        items: usize,
        annotators: usize,
        answers: usize,
        rows: impl Iterator<Item = (u32, Rating)> + Clone,
    ) -> Self {
        let mut offsets = vec![0usize; items + 1];
        for (item, rating) in rows.clone() {
            assert!((rating.annotator as usize) < annotators && (rating.answer as usize) < answers);
            offsets[item as usize + 1] += 1;
        }
        for item in 0..items {
            offsets[item + 1] += offsets[item];
        }
        let mut next = offsets.clone();
        let mut ratings = vec![Rating { annotator: 0, answer: 0 }; offsets[items]];
        for (item, rating) in rows {
            ratings[next[item as usize]] = rating;
            next[item as usize] += 1;
        }
        for item in 0..items {
            ratings[offsets[item]..offsets[item + 1]].sort_by_key(|rating| rating.annotator);
        }
        Self { annotators, answers, offsets, ratings }
    }

    /// Number of annotators.
    pub fn annotators(&self) -> usize {
        self.annotators
    }

    /// Number of different answers.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of votes.
    pub fn votes(&self) -> usize {
        self.ratings.len()
    }

    /// The votes on one item, ordered by annotator.
    pub fn item(&self, item: usize) -> &[Rating] {
        &self.ratings[self.offsets[item]..self.offsets[item + 1]]
    }

    /// The votes, item by item.
    pub fn iter(&self) -> impl Iterator<Item = &[Rating]> {
        self.offsets.windows(2).map(|ends| &self.ratings[ends[0]..ends[1]])
    }

    /// Each annotator's first reading of each item, and how many further readings were left out.
    pub fn first_readings(&self) -> (Self, usize) {
        let mut offsets = Vec::with_capacity(self.offsets.len());
        let mut ratings = Vec::with_capacity(self.ratings.len());
        offsets.push(0);
        for item in self.iter() {
            for (place, rating) in item.iter().enumerate() {
                if place == 0 || item[place - 1].annotator != rating.annotator {
                    ratings.push(*rating);
                }
            }
            offsets.push(ratings.len());
        }
        let repeated = self.ratings.len() - ratings.len();
        (Self { annotators: self.annotators, answers: self.answers, offsets, ratings }, repeated)
    }

    /// Adds each item's votes per answer to `counts`, which is cleared first; its length becomes [`Self::answers`].
    pub fn count(&self, item: usize, counts: &mut Vec<u32>) {
        counts.clear();
        counts.resize(self.answers, 0);
        for rating in self.item(item) {
            counts[rating.answer as usize] += 1;
        }
    }
}

/// [`Ratings`] with the names behind the numbers, each list sorted.
#[derive(Debug, Clone)]
pub struct NamedRatings<'a> {
    /// The votes by numbers.
    pub ratings: Ratings,
    /// Items by number.
    pub items: Vec<&'a str>,
    /// Annotators by number.
    pub annotators: Vec<&'a str>,
    /// Answer keys by number.
    pub answers: Vec<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_are_grouped_and_sorted_by_name() {
        let mut table = VoteTable::new();
        table.push("b.jpg", "y", "ear", "erect");
        table.push("a.jpg", "x", "ear", "drop");
        table.push("b.jpg", "x", "ear", "drop");
        table.push("a.jpg", "z", "coat", "wire");
        table.push("b.jpg", "x", "ear", "erect");
        let named = table.ratings("ear").unwrap();
        assert_eq!(named.items, ["a.jpg", "b.jpg"]);
        assert_eq!(named.annotators, ["x", "y"]);
        assert_eq!(named.answers, ["drop", "erect"]);
        let rating = |annotator, answer| Rating { annotator, answer };
        assert_eq!(named.ratings.item(1), [rating(0, 0), rating(0, 1), rating(1, 1)]);
        let (first, repeated) = named.ratings.first_readings();
        assert_eq!((first.item(1), repeated), (&[rating(0, 0), rating(1, 1)][..], 1));
        assert_eq!((table.len(), table.rows().count()), (5, 5));
        assert!(table.ratings("body").is_none());
    }

    #[test]
    fn votes_are_parted_by_what_is_known_of_them() {
        let mut table = VoteTable::new();
        let rows = [("1", "x", "ear", "drop", 2), ("1", "x", "coat", "wire", 9), ("1", "y", "ear", "drop", 1)];
        let rows = rows.into_iter().chain([("2", "x", "ear", "erect", 2), ("2", "y", "ear", "drop", 0)]);
        let mut versions = Vec::new();
        for (item, annotator, attribute, answer, version) in rows {
            table.push(item, annotator, attribute, answer);
            versions.push(version);
        }
        let parts = table.ratings_by("ear", |number, row| {
            assert_eq!(row.attribute, "ear");
            (versions[number] > 0).then_some(versions[number])
        });
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!((parts[&1].items.as_slice(), parts[&1].annotators.as_slice()), (&["1"][..], &["y"][..]));
        assert_eq!((parts[&2].items.len(), parts[&2].answers.as_slice()), (2, &["drop", "erect"][..]));
        assert!(table.ratings_by("body", |_, _| Some(())).is_empty());
    }
}
