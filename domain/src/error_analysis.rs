//! What a run gets wrong on photos that its model has not seen: scores of each value, confused pairs, the largest losses, and
//! whether mistakes on one attribute explain mistakes on another.

use std::collections::BTreeMap;

use crate::{
    gold::wilson,
    schema::{Attribute, AttributeKind, Prior},
    statistics::tables::{TwoByTwo, stratified},
    view::errors::{ConfusedValues, Explanation, Score, ToldApart},
};

/// Half the summed difference of two distributions from which on the values count as different in an attribute.
const APART: f64 = 0.5;
/// Labelled photos of a value from which on their shares stand for a standard that nobody has written.
const ENOUGH_LABELS: u32 = 3;

/// A head's first answer to a photo, by numbers of the attribute's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The value in the dataset.
    pub answer: u32,
    /// The value that the head puts first.
    pub predicted: u32,
    /// Its probability.
    pub probability: f32,
    /// The probability of the answer.
    pub of_answer: f32,
}

impl Judgement {
    /// Whether the head is wrong.
    pub fn is_wrong(&self) -> bool {
        self.answer != self.predicted
    }

    /// `-ln p(answer)`, finite also where the probability is 0.
    pub fn loss(&self) -> f64 {
        -f64::from(self.of_answer.max(f32::MIN_POSITIVE)).ln()
    }
}

/// A photo that the model, or the fold's, has not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct UnseenPhoto {
    /// Its id.
    pub id: i64,
    /// By number of the attribute: the value that came with the photo.
    pub given: Vec<Option<u32>>,
    /// By number of the attribute: what its head says; none where there is no head or no answer to hold it against.
    pub judged: Vec<Option<Judgement>>,
}

/// Photos with what a run says of them.
#[derive(Debug, Clone, Copy)]
pub struct Errors<'a> {
    /// The dataset's attributes: numbers of attributes and values are places in it.
    pub attributes: &'a [Attribute],
    /// The photos.
    pub photos: &'a [UnseenPhoto],
}

impl<'a> Errors<'a> {
    /// Photos of a head with what it says of them.
    pub fn of_head(self, head: usize) -> impl Iterator<Item = (&'a UnseenPhoto, Judgement)> {
        self.photos.iter().filter_map(move |photo| Some((photo, photo.judged[head]?)))
    }

    /// How many photos the head is right of.
    pub fn score(self, head: usize) -> Score {
        let mut tally = (0, 0);
        self.of_head(head).for_each(|(_, judged)| count(&mut tally, judged));
        scored(String::new(), tally)
    }

    /// The head's scores by the photos' values of the attribute `by`: its own answers, or a given attribute. The worst first, of
    /// equal ones that with more photos.
    pub fn scores(self, head: usize, by: usize) -> Vec<Score> {
        let mut tallies: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        for (photo, judged) in self.of_head(head) {
            let value = if by == head { Some(judged.answer) } else { photo.given[by] };
            if let Some(value) = value {
                count(tallies.entry(value).or_default(), judged);
            }
        }
        let named = |(value, tally)| scored(self.value(by, value).to_owned(), tally);
        let mut scores: Vec<Score> = tallies.into_iter().map(named).collect();
        scores.sort_by(|a, b| a.share().total_cmp(&b.share()).then(b.photos.cmp(&a.photos)));
        scores
    }

    /// Pairs of an answer and a wrong prediction, the most frequent first.
    pub fn confused(self, head: usize) -> Vec<ConfusedValues> {
        let (mut pairs, mut answers) = (BTreeMap::new(), BTreeMap::new());
        for (_, judged) in self.of_head(head) {
            *answers.entry(judged.answer).or_insert(0) += 1;
            if judged.is_wrong() {
                *pairs.entry((judged.answer, judged.predicted)).or_insert(0) += 1;
            }
        }
        let pair = |((answer, predicted), count): ((u32, u32), i64)| ConfusedValues {
            answer: self.value(head, answer).to_owned(),
            predicted: self.value(head, predicted).to_owned(),
            count,
            of: answers[&answer],
        };
        let mut pairs: Vec<ConfusedValues> = pairs.into_iter().map(pair).collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs
    }

    /// Photos of the head that fit, the largest loss first; at most `most`.
    pub fn worst(
        self,
        head: usize,
        most: usize,
        fits: impl Fn(&Judgement) -> bool,
    ) -> Vec<(&'a UnseenPhoto, Judgement)> {
        let mut photos: Vec<_> = self.of_head(head).filter(|(_, judged)| fits(judged)).collect();
        photos.sort_by(|(a, one), (b, other)| one.of_answer.total_cmp(&other.of_answer).then(a.id.cmp(&b.id)));
        photos.truncate(most);
        photos
    }

    /// For each head of a given attribute and each head of an annotated one: whether the former is wrong more often where the
    /// latter is wrong, over all photos with an answer to both and within the given attribute's values.
    pub fn explanations(self, priors: &[Prior], pairs: usize) -> Vec<Explanation> {
        let heads = |kind| {
            let of_kind = self.attributes.iter().enumerate().filter(move |(_, attribute)| attribute.kind == kind);
            of_kind.map(|(number, _)| number).filter(|head| self.of_head(*head).next().is_some())
        };
        let mut explanations = Vec::new();
        for given in heads(AttributeKind::Given) {
            let confused = self.confused(given);
            for head in heads(AttributeKind::Annotated) {
                let (table, strata) = self.tables(given, head);
                explanations.push(Explanation {
                    given: self.attributes[given].key.clone(),
                    attribute: self.attributes[head].key.clone(),
                    table,
                    ratio: table.ratio(),
                    fisher: table.fisher(),
                    stratified: stratified(&strata),
                    told_apart: self.told_apart(given, head, &confused, priors, pairs),
                });
            }
        }
        explanations
    }

    /// Whether `given` is wrong, in the group of photos of which `head` is wrong: of all photos, and by value of `given`.
    fn tables(self, given: usize, head: usize) -> (TwoByTwo, Vec<TwoByTwo>) {
        let (mut all, mut strata) = (TwoByTwo::default(), BTreeMap::<u32, TwoByTwo>::new());
        for (photo, of_given) in self.of_head(given) {
            let Some(of_head) = photo.judged[head] else { continue };
            for table in [&mut all, strata.entry(of_given.answer).or_default()] {
                table.count(of_head.is_wrong(), of_given.is_wrong());
            }
        }
        (all, strata.into_values().collect())
    }

    /// Of the confused values of `given`, those that the attribute `head` would tell apart; the first `most`.
    fn told_apart(
        self,
        given: usize,
        head: usize,
        confused: &[ConfusedValues],
        priors: &[Prior],
        most: usize,
    ) -> Vec<ToldApart> {
        let apart = confused.iter().filter_map(|pair| {
            let of_answer = self.expected(given, &pair.answer, head, priors)?;
            let of_predicted = self.expected(given, &pair.predicted, head, priors)?;
            let distance = distance(&of_answer, &of_predicted);
            let photos = self.of_head(given).filter(|(_, judged)| {
                self.value(given, judged.answer) == pair.answer && self.value(given, judged.predicted) == pair.predicted
            });
            let judged: Vec<Judgement> = photos.filter_map(|(photo, _)| photo.judged[head]).collect();
            (distance >= APART).then(|| ToldApart {
                answer: pair.answer.clone(),
                predicted: pair.predicted.clone(),
                photos: pair.count,
                of_answer: first(&of_answer),
                of_predicted: first(&of_predicted),
                distance,
                judged: judged.len() as i64,
                wrong: judged.iter().filter(|judged| judged.is_wrong()).count() as i64,
            })
        });
        apart.take(most).collect()
    }

    /// What is expected of the attribute `head` where `given` has `value`: its standard, else the shares of the labels there.
    fn expected(self, given: usize, value: &str, head: usize, priors: &[Prior]) -> Option<BTreeMap<String, f64>> {
        let (of_given, of_head) = (&self.attributes[given].key, &self.attributes[head].key);
        let prior =
            priors.iter().find(|p| p.given_attribute == *of_given && p.given_value == value && p.attribute == *of_head);
        if let Some(prior) = prior {
            return Some(prior.distribution.clone());
        }
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for (photo, judged) in self.of_head(head) {
            if photo.given[given].is_some_and(|of_photo| self.value(given, of_photo) == value) {
                *counts.entry(self.value(head, judged.answer).to_owned()).or_default() += 1;
            }
        }
        let all: u32 = counts.values().sum();
        let shares = counts.into_iter().map(|(value, count)| (value, f64::from(count) / f64::from(all)));
        (all >= ENOUGH_LABELS).then(|| shares.collect())
    }

    /// Key of a value.
    fn value(self, attribute: usize, value: u32) -> &'a str {
        &self.attributes[attribute].values[value as usize].key
    }
}

fn count((right, all): &mut (i64, i64), judged: Judgement) {
    *all += 1;
    *right += i64::from(!judged.is_wrong());
}

fn scored(value: String, (right, photos): (i64, i64)) -> Score {
    Score { value, photos, right, interval: wilson(right, photos) }
}

/// Half the summed difference of two distributions, 0 to 1 (total variation).
fn distance(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> f64 {
    let of = |map: &BTreeMap<String, f64>, key: &str| map.get(key).copied().unwrap_or(0.0);
    let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    keys.into_iter().map(|key| (of(a, key) - of(b, key)).abs()).sum::<f64>() / 2.0
}

/// The most probable key.
fn first(distribution: &BTreeMap<String, f64>) -> String {
    let best = distribution.iter().max_by(|(a, p), (b, q)| p.total_cmp(q).then(b.cmp(a)));
    best.map(|(key, _)| key.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
