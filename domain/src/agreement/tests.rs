use approx::assert_abs_diff_eq;
use proptest::prelude::*;

use super::*;
use crate::votes::{Rating, Ratings};

/// A table with one line an annotator and one character an item; `.` and `*` are missing.
fn coders(lines: &[&str]) -> VoteTable {
    let mut table = VoteTable::new();
    for (annotator, line) in lines.iter().enumerate() {
        for (item, answer) in line.chars().filter(|c| !c.is_whitespace()).enumerate() {
            if answer != '.' && answer != '*' {
                table.push(&format!("{item:02}"), &format!("{annotator}"), "a", &answer.to_string());
            }
        }
    }
    table
}

fn of(table: &VoteTable) -> AttributeAgreement {
    agreement(table, &AgreementOptions::default()).attributes.remove("a").unwrap()
}

/// Votes from each item's counts per answer, by anonymous annotators.
fn from_counts(items: &[Vec<u32>]) -> Ratings {
    let rows = items.iter().enumerate().flat_map(|(item, counts)| {
        let answers = counts.iter().enumerate().flat_map(|(answer, &n)| vec![answer as u32; n as usize]);
        answers
            .enumerate()
            .map(move |(annotator, answer)| (item as u32, Rating { annotator: annotator as u32, answer }))
    });
    Ratings::new(items.len(), 20, items[0].len(), rows)
}

#[test]
fn krippendorff_alpha_of_four_coders() {
    // 4 coders x 12 units, the test case of nltk.metrics.agreement; krippendorff 0.9.0 gives the same.
    let table = coders(&["123321412...", "1233224125.3", ".3332342251.", "12332441251."]);
    assert_abs_diff_eq!(of(&table).alpha.unwrap(), 0.743421052632, epsilon = 1e-12);
}

#[test]
fn krippendorff_alpha_of_three_coders() {
    // 3 coders x 15 units, Wikipedia "Krippendorff's alpha"; krippendorff 0.9.0 gives the same.
    let table = coders(&["*****3412113 3*3", "1*213343*******", "**21344*2113 3*4"]);
    assert_abs_diff_eq!(of(&table).alpha.unwrap(), 0.691358024691, epsilon = 1e-12);
}

#[test]
fn krippendorff_alpha_of_small_tables() {
    // krippendorff 0.9.0, alpha(..., level_of_measurement="nominal").
    for (lines, alpha) in
        [(["0100000010", "1110010000"], 0.0952380952), (["aabbdcccedda", "babbbccceddd"], 0.6919642857)]
    {
        assert_abs_diff_eq!(of(&coders(&lines)).alpha.unwrap(), alpha, epsilon = 1e-10);
    }
}

#[test]
fn krippendorff_alpha_of_the_toy_table() {
    // crowd-kit's toy table; krippendorff 0.9.0 gives 0.14219114219.
    let table = coders(&["nyyyy", "yynyn", ".ynyn", "ynyyn", "nnnyn"]);
    assert_abs_diff_eq!(of(&table).alpha.unwrap(), 0.14219114219, epsilon = 1e-11);
}

#[test]
fn fleiss_kappa_of_wikipedias_example() {
    // Wikipedia "Fleiss' kappa", 10 items x 5 categories, 14 raters; statsmodels 0.15.0 fleiss_kappa gives 0.20993070442195522.
    let text = "0 0 0 0 14 | 0 2 6 4 2 | 0 0 3 5 6 | 0 3 9 2 0 | 2 2 8 1 1 | 7 7 0 0 0 | 3 2 6 3 0 | 2 5 3 2 2 | 6 5 2 1 0 | 0 2 2 3 7";
    let items: Vec<Vec<u32>> =
        text.split('|').map(|item| item.split_whitespace().map(|n| n.parse().unwrap()).collect()).collect();
    let tally = Tally::of(&ItemCounts::new(&from_counts(&items), |_| true));
    assert_abs_diff_eq!(tally.fleiss().unwrap(), 0.20993070442195522, epsilon = 1e-12);
}

#[test]
fn fleiss_1971() {
    // Fleiss 1971, 30 patients x 5 diagnoses, 6 raters; statsmodels 0.15.0 fleiss_kappa: 0.43024452006014074; krippendorff 0.9.0,
    // alpha(value_counts=...): 0.4334098282820289.
    let text = "00060|03003|01401|00006|03030|20400|00402|20310|20040|00006|10050|11040|03300|10050|02031|00501|30012|51000|02040|10203|00006|01050|02013|20040|10041|05010|40002|02040|10500|00006";
    let items: Vec<Vec<u32>> =
        text.split('|').map(|item| item.chars().map(|n| n.to_digit(10).unwrap()).collect()).collect();
    let tally = Tally::of(&ItemCounts::new(&from_counts(&items), |_| true));
    assert_abs_diff_eq!(tally.fleiss().unwrap(), 0.43024452006014074, epsilon = 1e-12);
    assert_abs_diff_eq!(tally.alpha().unwrap(), 0.4334098282820289, epsilon = 1e-12);
}

#[test]
fn the_anaesthetists_first_readings() {
    // Dawid and Skene 1979, table 1, first readings of observer 1; figures as computed with krippendorff 0.9.0 (alpha),
    // statsmodels 0.15.0 (Fleiss) and Gwet's formula (AC1).
    let report = agreement(&crate::consensus::fixtures::anaesthetists(), &AgreementOptions::default());
    let ear = &report.attributes["ear"];
    assert_eq!((ear.items, ear.annotators, ear.votes), (45, 5, 225));
    for (figure, expected) in [
        (ear.percent, 0.7244),
        (ear.alpha, 0.5843),
        (ear.alpha_not_visible_missing, 0.5843),
        (ear.fleiss, 0.5824),
        (ear.ac1, 0.6467),
    ] {
        assert_abs_diff_eq!(figure.unwrap(), expected, epsilon = 5e-5);
    }
    assert_eq!(ear.cohen.len(), 10);
    assert_eq!(report.warnings, ["ear: 90 repeated readings of an item by the same annotator were left out"]);
}

#[test]
fn gwet_ac1_with_missing_values() {
    // irrCAC (PyPI): CAC(table).gwet(), the four coders of nltk's test case, and the anaesthetists' first readings.
    let table = coders(&["123321412...", "1233224125.3", ".3332342251.", "12332441251."]);
    assert_abs_diff_eq!(of(&table).ac1.unwrap(), 0.775444068127, epsilon = 1e-12);
    let report = agreement(&crate::consensus::fixtures::anaesthetists(), &AgreementOptions::default());
    assert_abs_diff_eq!(report.attributes["ear"].ac1.unwrap(), 0.646737066018, epsilon = 1e-12);
    // The same package's fleiss().
    assert_abs_diff_eq!(report.attributes["ear"].fleiss.unwrap(), 0.582435344828, epsilon = 1e-12);
}

#[test]
fn not_visible_is_a_value_or_missing() {
    let mut table = VoteTable::new();
    let rows =
        [("1", "drop", "drop"), ("2", "erect", "erect"), ("3", "not_visible", "erect"), ("4", "unsure", "unsure")];
    for (item, x, y) in rows {
        table.push(item, "x", "a", x);
        table.push(item, "y", "a", y);
    }
    let of_all = of(&table);
    // 4 items, 8 values: drop 2, erect 3, not_visible 1, unsure 2; one disagreeing pair: 1 - 7 * 2 / (64 - 18).
    assert_abs_diff_eq!(of_all.alpha.unwrap(), 1.0 - 14.0 / 46.0, epsilon = 1e-12);
    assert_abs_diff_eq!(of_all.alpha_not_visible_missing.unwrap(), 1.0, epsilon = 1e-12);
    assert_abs_diff_eq!(of_all.percent.unwrap(), 0.75, epsilon = 1e-12);
}

#[test]
fn undefined_figures_are_null_with_a_reason() {
    let unanimous = of(&coders(&["yyy", "yyy"]));
    assert_eq!((unanimous.percent, unanimous.alpha, unanimous.fleiss, unanimous.ac1), (Some(1.0), None, None, None));
    assert!(unanimous.undefined["alpha"].contains("same answer"), "{:?}", unanimous.undefined);
    assert_eq!(unanimous.cohen[0].kappa, None);
    assert!(unanimous.cohen[0].undefined.as_ref().unwrap().contains("same answer"));

    let alone = of(&coders(&["yn."]));
    assert_eq!((alone.percent, alone.alpha, alone.cohen.len()), (None, None, 0));
    assert_eq!(alone.undefined["percent"], "no item has two or more votes");

    let unequal = of(&coders(&["yny", "yn.", "nny"]));
    assert!(unequal.alpha.is_some() && unequal.fleiss.is_none());
    assert!(unequal.undefined["fleiss"].contains("between 2 and 3 votes"), "{:?}", unequal.undefined);
}

#[test]
fn the_json_has_the_documented_shape() {
    let report = agreement(&coders(&["yn.", "yny"]), &AgreementOptions::default());
    let json = serde_json::to_value(&report).unwrap();
    let a = &json["attributes"]["a"];
    assert_eq!((a["items"].as_u64(), a["annotators"].as_u64(), a["votes"].as_u64()), (Some(3), Some(2), Some(5)));
    for name in ["percent", "alpha", "alpha_not_visible_missing", "ac1"] {
        assert!(a[name].is_f64(), "{name}");
    }
    assert!(a["fleiss"].is_null() && a["undefined"]["fleiss"].is_string());
    assert_eq!((a["cohen"][0]["a"].as_str(), a["cohen"][0]["b"].as_str()), (Some("0"), Some("1")));
    assert_eq!(a["cohen"][0]["kappa"].as_f64(), Some(1.0));
    assert_eq!(serde_json::from_value::<AgreementReport>(json).unwrap(), report);
}

#[test]
fn bootstrap_intervals_hold_the_figure_and_follow_the_seed() {
    let table = crate::consensus::fixtures::anaesthetists();
    let with = |seed| {
        let bootstrap = Bootstrap { resamples: 500, level: 0.95, seed };
        agreement(&table, &AgreementOptions { bootstrap: Some(bootstrap), pairs: true })
            .attributes
            .remove("ear")
            .unwrap()
    };
    let ear = with(1);
    for (name, figure) in [("percent", ear.percent), ("alpha", ear.alpha), ("fleiss", ear.fleiss), ("ac1", ear.ac1)] {
        let [low, high] = ear.intervals[name];
        assert!(low < figure.unwrap() && figure.unwrap() < high && high - low < 0.5, "{name} {low} {high}");
    }
    assert_eq!(ear.intervals, with(1).intervals);
    assert_ne!(ear.intervals, with(2).intervals);
}

#[test]
fn an_interval_that_most_resamples_cannot_tell_is_left_out_and_said() {
    // One item in a hundred has the second answer: (99/100)^100 = 37 % of the resamples lack it and have no alpha.
    let mut line = "y".repeat(99);
    line.push('n');
    let bootstrap = Bootstrap { resamples: 400, ..Default::default() };
    let report = agreement(&coders(&[&line, &line]), &AgreementOptions { bootstrap: Some(bootstrap), pairs: true });
    let a = &report.attributes["a"];
    assert!((100..200).contains(&a.undefined_resamples["alpha"]), "{:?}", a.undefined_resamples);
    assert_eq!(a.intervals["alpha"], [1.0, 1.0]);
    assert_eq!(report.warnings.len(), 4, "{:?}", report.warnings);
    assert!(report.warnings[1].ends_with("resamples: its interval leaves them out"), "{:?}", report.warnings);
    // Unanimous votes never have one.
    let report = agreement(&coders(&["yyy", "yyy"]), &AgreementOptions { bootstrap: Some(bootstrap), pairs: true });
    assert!(
        report.warnings[1].ends_with("undefined in 400 of 400 resamples: it has no interval"),
        "{:?}",
        report.warnings
    );
    assert_eq!(report.attributes["a"].intervals.keys().collect::<Vec<_>>(), ["percent"]);
}

#[test]
fn pairs_have_the_figures_of_their_own_table() {
    let table = crate::consensus::fixtures::anaesthetists();
    let ear = &agreement(&table, &AgreementOptions::default()).attributes["ear"];
    let mut two = VoteTable::new();
    let rows = table.rows().filter(|row| row.annotator == "2" || row.annotator == "4");
    rows.for_each(|row| two.push(row.item, row.annotator, "ear", row.answer));
    let of_two = &agreement(&two, &AgreementOptions::default()).attributes["ear"];
    let pair = ear.cohen.iter().find(|pair| pair.a == "2" && pair.b == "4").unwrap();
    for (one, other) in [
        (pair.percent, of_two.percent),
        (pair.alpha, of_two.alpha),
        (pair.ac1, of_two.ac1),
        (pair.alpha_not_visible_missing, of_two.alpha),
        (pair.kappa, of_two.cohen[0].kappa),
    ] {
        assert_abs_diff_eq!(one.unwrap(), other.unwrap(), epsilon = 1e-12);
    }
    // Without not visible and unsure, as if those votes had not been cast.
    let (hidden, bare) = (coders(&["yynyn?", "ynny?y"]), coders(&["yynyn.", "ynny.y"]));
    let mut table = VoteTable::new();
    for row in hidden.rows() {
        table.push(row.item, row.annotator, "a", if row.answer == "?" { NOT_VISIBLE } else { row.answer });
    }
    let alpha = of(&table).cohen[0].alpha_not_visible_missing.unwrap();
    assert_abs_diff_eq!(alpha, of(&bare).alpha.unwrap(), epsilon = 1e-12);
    assert_abs_diff_eq!(alpha, of(&table).alpha_not_visible_missing.unwrap(), epsilon = 1e-12);
}

#[test]
fn confused_pairs_are_counted_and_priced() {
    // Items aab, ab, bbc, aa: o_ab = 2/2 + 1 = 2, o_bc = 2/2 = 1; n_a = 5, n_b = 4, n_c = 1.
    let a = of(&coders(&["aaba", "abba", "b.c."]));
    let [ab, bc] = &a.confused[..] else { panic!("{:?}", a.confused) };
    assert_eq!((ab.a.as_str(), ab.b.as_str(), ab.items, ab.votes), ("a", "b", 2, 3));
    assert_eq!((bc.a.as_str(), bc.b.as_str(), bc.items, bc.votes), ("b", "c", 1, 2));
    assert_abs_diff_eq!(ab.rate, 4.0 / 9.0, epsilon = 1e-12);
    assert_abs_diff_eq!(bc.rate, 2.0 / 5.0, epsilon = 1e-12);
    // D_e: n (n - 1) - sum n_k (n_k - 1) = 90 - 32 = 58 = n^2 - sum n_k^2.
    assert_abs_diff_eq!(ab.cost.unwrap(), 9.0 * 4.0 / 58.0, epsilon = 1e-12);
    assert_abs_diff_eq!(bc.cost.unwrap(), 9.0 * 2.0 / 58.0, epsilon = 1e-12);
    assert_abs_diff_eq!(ab.alpha_without.unwrap(), a.alpha.unwrap() + ab.cost.unwrap(), epsilon = 1e-12);
    // As one answer: the table with b written a.
    assert_abs_diff_eq!(
        ab.alpha_merged.unwrap(),
        of(&coders(&["aaaa", "aaaa", "a.c."])).alpha.unwrap(),
        epsilon = 1e-12
    );
    assert_abs_diff_eq!(
        bc.alpha_merged.unwrap(),
        of(&coders(&["aaba", "abba", "b.b."])).alpha.unwrap(),
        epsilon = 1e-12
    );
    // Two answers alone would leave one.
    assert_eq!(of(&coders(&["ab", "bb"])).confused[0].alpha_merged, None);
}

/// Random votes: (item, annotator, answer) without repeated readings.
fn votes() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::btree_map((0u8..12, 0u8..5), 0u8..4, 1..50)
        .prop_map(|votes| votes.into_iter().map(|((item, annotator), answer)| (item, annotator, answer)).collect())
}

fn table(votes: &[(u8, u8, u8)]) -> VoteTable {
    let mut table = VoteTable::new();
    for (item, annotator, answer) in votes {
        table.push(&item.to_string(), &annotator.to_string(), "a", &answer.to_string());
    }
    table
}

proptest! {
    #[test]
    fn the_order_of_votes_does_not_matter(votes in votes(), seed in any::<u64>()) {
        use rand::{SeedableRng, seq::SliceRandom};
        let mut shuffled = votes.clone();
        shuffled.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        prop_assert_eq!(of(&table(&votes)), of(&table(&shuffled)));
    }

    #[test]
    fn figures_are_bounded_and_either_there_or_explained(votes in votes()) {
        let a = of(&table(&votes));
        let figures = [("percent", a.percent), ("alpha", a.alpha), ("fleiss", a.fleiss), ("ac1", a.ac1)];
        for (name, figure) in figures {
            prop_assert_eq!(figure.is_none(), a.undefined.contains_key(name));
            if let Some(figure) = figure {
                prop_assert!(figure.abs() <= 1.0 + 1e-12, "{} {}", name, figure);
            }
        }
        prop_assert!(a.percent.is_none_or(|percent| percent >= 0.0));
    }

    #[test]
    fn the_costs_of_the_confused_pairs_are_what_alpha_lacks(votes in votes()) {
        let a = of(&table(&votes));
        let cost: Option<f64> = a.confused.iter().map(|pair| pair.cost).sum();
        if let Some(alpha) = a.alpha {
            prop_assert!((cost.unwrap() - (1.0 - alpha)).abs() < 1e-12);
        }
        prop_assert!(a.confused.iter().all(|pair| (0.0..=1.0).contains(&pair.rate) && pair.votes > 0));
        prop_assert!(a.confused.is_sorted_by(|one, other| one.cost >= other.cost));
    }

    #[test]
    fn an_annotator_is_measured_as_if_they_had_not_voted(votes in votes()) {
        let a = of(&table(&votes));
        prop_assert_eq!(a.by_annotator.len(), a.annotators);
        for part in &a.by_annotator {
            let name: u8 = part.annotator.parse().unwrap();
            let (own, others): (Vec<_>, Vec<_>) = votes.iter().copied().partition(|vote| vote.1 == name);
            prop_assert_eq!(part.votes, own.len());
            let compared = |vote: &(u8, u8, u8)| others.iter().filter(|other| other.0 == vote.0).count();
            let same = |vote: &(u8, u8, u8)| others.iter().filter(|other| other.0 == vote.0 && other.2 == vote.2).count();
            let all: usize = own.iter().map(compared).sum();
            let percent = (all > 0).then(|| own.iter().map(same).sum::<usize>() as f64 / all as f64);
            prop_assert_eq!(part.percent, percent);
            let without = agreement(&table(&others), &AgreementOptions::default()).attributes.remove("a");
            match (part.alpha_without, without.and_then(|without| without.alpha)) {
                (Some(one), Some(other)) => prop_assert!((one - other).abs() < 1e-9, "{} {}", one, other),
                (one, other) => prop_assert_eq!(one, other),
            }
        }
    }

    #[test]
    fn patterns_are_the_items_without_repetition(votes in votes()) {
        let table = table(&votes);
        let counts = ItemCounts::new(&table.ratings("a").unwrap().ratings, |_| true);
        let (patterns, times) = counts.patterns();
        prop_assert_eq!(times.iter().sum::<u32>() as usize, counts.items());
        let (whole, summed) = (Tally::of(&counts), Tally::weighted(&patterns, &times));
        for (one, other) in [(whole.alpha(), summed.alpha()), (whole.ac1(), summed.ac1()), (whole.fleiss(), summed.fleiss())] {
            match (one, other) {
                (Ok(one), Ok(other)) => prop_assert!((one - other).abs() < 1e-12),
                (one, other) => prop_assert_eq!(one, other),
            }
        }
        prop_assert_eq!(counts.retained(|answer| answer > 0), ItemCounts::new(&table.ratings("a").unwrap().ratings, |answer| answer > 0));
    }

    #[test]
    fn copies_of_one_annotator_agree_perfectly(answers in proptest::collection::vec(0u8..3, 2..20)) {
        let votes: Vec<_> = (0u8..).zip(&answers).flat_map(|(item, &answer)| (0..3).map(move |x| (item, x, answer))).collect();
        let a = of(&table(&votes));
        prop_assert_eq!(a.percent, Some(1.0));
        let several = answers.iter().any(|answer| *answer != answers[0]);
        prop_assert_eq!(a.alpha.is_some(), several);
        if let Some(alpha) = a.alpha {
            prop_assert!((alpha - 1.0).abs() < 1e-12);
        }
    }
}
