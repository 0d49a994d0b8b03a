//! The report's CSV files.

use std::{collections::BTreeMap, path::Path};

use kenami_domain::{
    dataset::Split,
    metrics::{Coincidence, Metrics, SplitMetrics},
    schema::AttributeKind,
};

use super::{ReportInput, ScoredHead, TABLES, headline, stems, with_judged, write_csv};
use crate::{
    error::Result,
    evaluate::{most_likely, reliability, surprise, top_losses},
};

/// Photos per head and split in top_losses.csv.
const TOP_LOSSES: usize = 50;

pub(super) fn write_all(out_dir: &Path, input: &ReportInput<'_>, metrics: &Metrics) -> Result<()> {
    let [per_class_file, confused_file, losses_file, by_given_file, coincidence_file] =
        TABLES.map(|name| out_dir.join(name));
    let header = ["attribute", "split", "value", "support", "predicted", "precision", "recall", "f1"];
    write_csv(&per_class_file, &header, per_class(metrics))?;
    let header = ["attribute", "split", "answer", "predicted", "count", "images"];
    write_csv(&confused_file, &header, confused(metrics))?;
    let header =
        ["attribute", "split", "rank", "image", "answer", "predicted", "loss", "probability", "predicted_probability"];
    write_csv(&losses_file, &header, losses(input))?;
    let header = ["given", "value", "attribute", "split", "n", "accuracy"];
    write_csv(&by_given_file, &header, accuracy_by_given(input))?;
    let header = ["given", "attribute", "split", "both_right", "attribute_wrong", "given_wrong", "both_wrong", "phi"];
    write_csv(&coincidence_file, &header, metrics.coincidences.iter().map(coincidence_row))?;
    for (head, stem) in input.heads.iter().zip(stems(input.heads)) {
        if let Some((split, figures)) = headline(metrics, &head.attribute) {
            confusion(&out_dir.join(format!("confusion_{stem}.csv")), split, figures)?;
        }
        let header = ["split", "scaling", "from", "to", "n", "confidence", "accuracy"];
        write_csv(&out_dir.join(format!("reliability_{stem}.csv")), &header, reliability_rows(input, head))?;
    }
    Ok(())
}

fn figure(value: f64) -> String {
    format!("{value:.6}")
}

/// Figures of all heads and splits, in order.
fn all(metrics: &Metrics) -> impl Iterator<Item = (&String, Split, &SplitMetrics)> {
    let heads = metrics.heads.iter();
    heads.flat_map(|(attribute, splits)| {
        Split::ALL.into_iter().filter_map(move |split| Some((attribute, split, splits.get(split.as_str())?)))
    })
}

fn per_class(metrics: &Metrics) -> impl Iterator<Item = Vec<String>> {
    all(metrics).flat_map(|(attribute, split, figures)| {
        figures.per_class.iter().map(move |class| {
            let counts = [class.support.to_string(), class.predicted.to_string()];
            let shares = [class.precision, class.recall, class.f1].map(figure);
            let names = [attribute.clone(), split.to_string(), class.value.clone()];
            names.into_iter().chain(counts).chain(shares).collect()
        })
    })
}

fn confused(metrics: &Metrics) -> impl Iterator<Item = Vec<String>> {
    all(metrics).flat_map(|(attribute, split, figures)| {
        figures.most_confused.iter().map(move |pair| {
            let names = [attribute.clone(), split.to_string(), pair.answer.clone(), pair.predicted.clone()];
            names.into_iter().chain([pair.count.to_string(), pair.images.join(";")]).collect()
        })
    })
}

fn losses(input: &ReportInput<'_>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for head in input.heads {
        for split in Split::ALL {
            with_judged(input.dataset, head, split, true, |photos| {
                for (rank, at) in top_losses(photos, TOP_LOSSES).into_iter().enumerate() {
                    let photo = &photos[at];
                    let predicted = most_likely(photo.probabilities);
                    let probability = photo.probabilities[photo.answer];
                    rows.push(vec![
                        head.attribute.clone(),
                        split.to_string(),
                        (rank + 1).to_string(),
                        photo.image.to_owned(),
                        head.labels[photo.answer].clone(),
                        head.labels[predicted].clone(),
                        figure(surprise(probability)),
                        figure(probability),
                        figure(photo.probabilities[predicted]),
                    ]);
                }
            });
        }
    }
    rows
}

/// Rows and columns in the attribute's order; the first cell says which split it is.
fn confusion(path: &Path, split: Split, figures: &SplitMetrics) -> Result<()> {
    let corner = format!("{split}: answer / predicted");
    let labels = &figures.confusion.labels;
    let header: Vec<&str> = std::iter::once(corner.as_str()).chain(labels.iter().map(String::as_str)).collect();
    let rows = labels.iter().zip(&figures.confusion.counts);
    let rows = rows.map(|(label, counts)| {
        std::iter::once(label.clone()).chain(counts.iter().map(u32::to_string)).collect::<Vec<_>>()
    });
    write_csv(path, &header, rows)
}

fn reliability_rows(input: &ReportInput<'_>, head: &ScoredHead) -> Vec<Vec<String>> {
    let scalings: &[(&str, bool)] =
        if head.temperature.is_some() { &[("before", false), ("after", true)] } else { &[("before", false)] };
    let mut rows = Vec::new();
    for split in Split::ALL {
        for (name, is_calibrated) in scalings {
            let bins = with_judged(input.dataset, head, split, *is_calibrated, reliability);
            for bin in bins.iter().filter(|bin| bin.n > 0) {
                let names = [split.to_string(), (*name).to_owned()];
                let range = [bin.range.0, bin.range.1].map(figure);
                let figures = [bin.n.to_string(), figure(bin.confidence), figure(bin.accuracy)];
                rows.push(names.into_iter().chain(range).chain(figures).collect());
            }
        }
    }
    rows
}

/// Per item: whether the head's first answer is right; `None` where there is no answer.
fn hits(head: &ScoredHead) -> Vec<Option<bool>> {
    let hit = |(i, truth): (usize, &Option<usize>)| truth.map(|k| most_likely(&head.distribution(i, 1.0)) == k);
    head.truth.iter().enumerate().map(hit).collect()
}

/// Keys of the dataset's given attributes.
fn given<'a>(input: &ReportInput<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let attributes = &input.dataset.manifest.schema.attributes;
    attributes.iter().filter(|a| a.kind == AttributeKind::Given).map(|a| a.key.as_str())
}

fn accuracy_by_given(input: &ReportInput<'_>) -> Vec<Vec<String>> {
    let hits: Vec<Vec<Option<bool>>> = input.heads.iter().map(hits).collect();
    let mut rows = Vec::new();
    for given in given(input) {
        for (head, hits) in input.heads.iter().zip(&hits).filter(|(head, _)| head.attribute != given) {
            let mut counts: BTreeMap<(&str, Split), (usize, usize)> = BTreeMap::new();
            for (item, hit) in input.dataset.items.iter().zip(hits) {
                if let (Some(value), Some(hit)) = (item.given.get(given), hit) {
                    let (n, right) = counts.entry((value, item.split)).or_default();
                    *n += 1;
                    *right += usize::from(*hit);
                }
            }
            rows.extend(counts.into_iter().map(|((value, split), (n, right))| {
                let names = [given, value, &head.attribute, split.as_str()].map(str::to_owned);
                names.into_iter().chain([n.to_string(), figure(right as f64 / n as f64)]).collect()
            }));
        }
    }
    rows
}

/// For each given attribute with a head, each other head and each split: how their mistakes fall together.
pub(super) fn coincidences(input: &ReportInput<'_>) -> Vec<Coincidence> {
    let hits: Vec<Vec<Option<bool>>> = input.heads.iter().map(hits).collect();
    let mut coincidences = Vec::new();
    for given in given(input) {
        let Some(of_given) = input.heads.iter().position(|head| head.attribute == given) else { continue };
        for (other, head) in input.heads.iter().enumerate().filter(|(other, _)| *other != of_given) {
            for split in Split::ALL {
                let items = input.dataset.items.iter().enumerate().filter(|(_, item)| item.split == split);
                let pairs = items.filter_map(|(i, _)| Some((hits[of_given][i]?, hits[other][i]?)));
                coincidences.extend(coincidence(given, &head.attribute, split, pairs));
            }
        }
    }
    coincidences
}

/// `None` where no photo has both answers.
fn coincidence(
    given: &str,
    attribute: &str,
    split: Split,
    pairs: impl Iterator<Item = (bool, bool)>,
) -> Option<Coincidence> {
    let mut table = [[0usize; 2]; 2];
    pairs.for_each(|(given, other)| table[usize::from(!given)][usize::from(!other)] += 1);
    let [[both_right, attribute_wrong], [given_wrong, both_wrong]] = table;
    if both_right + attribute_wrong + given_wrong + both_wrong == 0 {
        return None;
    }
    let [a, b, c, d] = [both_right, attribute_wrong, given_wrong, both_wrong].map(|count| count as f64);
    let scale = ((a + b) * (c + d) * (a + c) * (b + d)).sqrt();
    Some(Coincidence {
        split: split.to_string(),
        given: given.to_owned(),
        attribute: attribute.to_owned(),
        both_right,
        attribute_wrong,
        given_wrong,
        both_wrong,
        phi: (scale > 0.0).then(|| (a * d - b * c) / scale),
    })
}

fn coincidence_row(c: &Coincidence) -> Vec<String> {
    let counts = [c.both_right, c.attribute_wrong, c.given_wrong, c.both_wrong].map(|count| count.to_string());
    let names = [c.given.clone(), c.attribute.clone(), c.split.clone()];
    names.into_iter().chain(counts).chain([c.phi.map(figure).unwrap_or_default()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_on_the_same_photos_have_a_correlation_of_one() {
        let phi = |pairs: &[(bool, bool)]| coincidence("g", "a", Split::Test, pairs.iter().copied()).unwrap().phi;
        let (right, wrong) = (true, false);
        assert_eq!(phi(&[(right, right), (wrong, wrong), (right, right)]), Some(1.0));
        assert_eq!(phi(&[(right, wrong), (wrong, right)]), Some(-1.0));
        assert_eq!(phi(&[(right, right), (right, wrong), (wrong, right), (wrong, wrong)]), Some(0.0));
        assert_eq!(phi(&[(right, right), (right, wrong)]), None);
        let table = coincidence("g", "a", Split::Test, [(right, wrong), (right, wrong), (wrong, right)].into_iter());
        let table = table.unwrap();
        assert_eq!((table.both_right, table.attribute_wrong, table.given_wrong, table.both_wrong), (0, 2, 1, 0));
        assert_eq!(coincidence("g", "a", Split::Test, [].into_iter()), None);
    }
}
