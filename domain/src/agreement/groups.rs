//! Agreement on parts of the votes: by breed, by guideline version, by week, by anything that is known of a vote or its item.
//!
//! Only votes of the same part are compared. What belongs to an item (its breed) keeps all comparisons; what belongs to a
//! vote (the version of the guideline it was given under) leaves out those between two parts, which is what is wanted where
//! they must not be mixed. For what passes by (weeks) there is [`latest`]: each item's votes go where the last of them
//! belongs, so that every comparison counts once, in the week that completed it.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

use super::{AgreementOptions, AttributeAgreement, attribute_agreement};
use crate::votes::{NamedRatings, VoteRow, VoteTable};

/// By attribute key, then by group.
pub type AttributeGroups<K> = BTreeMap<String, BTreeMap<K, AttributeAgreement>>;

/// The agreement of each part of the votes, per attribute. `key` sees a vote and its number (the order in which it was
/// added to the table) and names its part; votes without a key are left out. A repeated reading within a part is left out.
pub fn grouped<K: Ord>(
    table: &VoteTable,
    options: &AgreementOptions,
    mut key: impl FnMut(usize, &VoteRow<'_>) -> Option<K>,
) -> AttributeGroups<K> {
    let of_part = |named: NamedRatings<'_>| {
        let (ratings, _) = named.ratings.first_readings();
        attribute_agreement(&NamedRatings { ratings, ..named }, options)
    };
    let of_attribute = |attribute: &str| {
        let parts = table.ratings_by(attribute, &mut key);
        (attribute.to_owned(), parts.into_iter().map(|(key, named)| (key, of_part(named))).collect())
    };
    table.attributes().map(of_attribute).collect()
}

/// By a vote's number, the largest key among all votes on the same item and attribute: for [`grouped`].
pub fn latest<K: Ord + Clone>(
    table: &VoteTable,
    mut key: impl FnMut(usize, &VoteRow<'_>) -> Option<K>,
) -> Vec<Option<K>> {
    let mut last: HashMap<(&str, &str), Option<K>> = HashMap::new();
    for (number, row) in table.numbered() {
        let of_item = last.entry((row.attribute, row.item)).or_default();
        *of_item = key(number, &row).max(of_item.take());
    }
    let mut keys = vec![None; table.len()];
    for (number, row) in table.numbered() {
        keys[number].clone_from(&last[&(row.attribute, row.item)]);
    }
    keys
}

/// The ISO 8601 week of a moment, as `2026-W07`: sorts by time.
pub fn iso_week(at: OffsetDateTime) -> String {
    let (year, week, _) = at.date().to_iso_week_date();
    format!("{year:04}-W{week:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use time::macros::datetime;

    fn table(rows: &[(&str, &str, &str)]) -> VoteTable {
        let mut table = VoteTable::new();
        rows.iter().for_each(|(item, annotator, answer)| table.push(item, annotator, "ear", answer));
        table
    }

    #[test]
    fn a_group_is_what_its_votes_alone_would_be() {
        // Pugs: 3 of 4 agree; beagles: all agree on two answers.
        let rows = [
            ("pug_1", "x", "drop"),
            ("beagle_1", "x", "erect"),
            ("pug_1", "y", "erect"),
            ("beagle_1", "y", "erect"),
            ("pug_2", "x", "drop"),
            ("pug_2", "y", "drop"),
            ("beagle_2", "y", "drop"),
            ("beagle_2", "x", "drop"),
            ("pug_3", "x", "erect"),
            ("pug_3", "y", "erect"),
        ];
        let table_of = |breed: &str| {
            let rows: Vec<_> = rows.into_iter().filter(|row| row.0.starts_with(breed)).collect();
            super::super::agreement(&table(&rows), &AgreementOptions::default()).attributes.remove("ear").unwrap()
        };
        let by = grouped(&table(&rows), &AgreementOptions::default(), |_, row| {
            row.item.split_once('_').map(|(breed, _)| breed.to_owned())
        });
        assert_eq!(by["ear"].keys().collect::<Vec<_>>(), ["beagle", "pug"]);
        assert_eq!(by["ear"]["pug"], table_of("pug"));
        assert_eq!(by["ear"]["beagle"].alpha, Some(1.0));
        // Pugs: n = 6, three of each; one disagreeing pair: 1 - 5 * 2 / 18.
        assert_abs_diff_eq!(by["ear"]["pug"].alpha.unwrap(), 1.0 - 10.0 / 18.0, epsilon = 1e-12);
    }

    #[test]
    fn votes_of_two_versions_are_not_compared_and_repeated_readings_belong_to_theirs() {
        let rows =
            [("1", "x", "drop"), ("1", "y", "erect"), ("1", "x", "erect"), ("2", "x", "drop"), ("2", "y", "drop")];
        let versions = [1, 1, 2, 2, 2];
        let by = grouped(&table(&rows), &AgreementOptions::default(), |number, _| Some(versions[number]));
        assert_eq!((by["ear"][&1].percent, by["ear"][&1].items), (Some(0.0), 1));
        // x's second reading of item 1 stands alone in version 2.
        assert_eq!((by["ear"][&2].percent, by["ear"][&2].items, by["ear"][&2].votes), (Some(1.0), 2, 3));
    }

    #[test]
    fn a_comparison_counts_in_the_week_that_completed_it() {
        let rows =
            [("1", "x", "drop"), ("2", "x", "drop"), ("1", "y", "drop"), ("2", "y", "erect"), ("3", "y", "drop")];
        let weeks = [Some("2026-W01"), Some("2026-W01"), Some("2026-W01"), Some("2026-W02"), None];
        let table = table(&rows);
        let keys = latest(&table, |number, _| weeks[number]);
        assert_eq!(keys, [Some("2026-W01"), Some("2026-W02"), Some("2026-W01"), Some("2026-W02"), None]);
        let by = grouped(&table, &AgreementOptions::default(), |number, _| keys[number]);
        assert_eq!((by["ear"]["2026-W01"].percent, by["ear"]["2026-W02"].percent), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn weeks_are_iso_weeks() {
        // ISO 8601: the week with the year's first Thursday is its first.
        assert_eq!(iso_week(datetime!(2026-01-01 00:00 UTC)), "2026-W01");
        assert_eq!(iso_week(datetime!(2027-01-03 23:59 UTC)), "2026-W53");
        assert_eq!(iso_week(datetime!(2024-12-30 12:00 UTC)), "2025-W01");
    }
}
