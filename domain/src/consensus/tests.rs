use approx::assert_abs_diff_eq;
use proptest::prelude::*;

use super::*;
use crate::{answer::Answer, votes::NamedRatings};

fn run(table: &VoteTable, method: Method) -> ConsensusReport {
    consensus(table, method, None, &ConsensusOptions::default()).unwrap()
}

fn answers(of: &AttributeConsensus) -> Vec<String> {
    of.items.values().map(|item| item.answer.as_ref().map_or("-".to_owned(), Answer::to_string)).collect()
}

#[test]
fn majority_says_its_ties() {
    // crowd-kit's toy table: t1 is a 2-2 tie, then y n y n.
    let report = run(&fixtures::toy(), Method::Majority);
    let a = &report.attributes["a"];
    assert_eq!(answers(a), ["-", "y", "n", "y", "n"]);
    assert_eq!(a.items["t1"].tied, ["n", "y"]);
    let json = serde_json::to_value(&report).unwrap();
    let t1 = &json["attributes"]["a"]["items"]["t1"];
    assert_eq!(t1, &serde_json::json!({"answer": null, "posterior": {"n": 0.5, "y": 0.5}, "tied": ["n", "y"]}));
    assert!(json["attributes"]["a"]["items"]["t2"].get("tied").is_none());
    // w1 meets the untied majority (y n y n) in y and y of its y y y y.
    assert_eq!(a.annotators["w1"].quality, Some(0.5));
    assert_eq!(a.annotators["w1"].confusion["n"], [("n".to_owned(), 0.0), ("y".to_owned(), 1.0)].into());
    assert_eq!(serde_json::from_value::<ConsensusReport>(json).unwrap(), report);
}

#[test]
fn dawid_skene_on_the_toy_table() {
    // Fixed point of the EM on crowd-kit's toy table: y y n y n, p(y) 0.6, log-likelihood -10.479980211.
    let report = run(&fixtures::toy(), Method::DawidSkene);
    let a = &report.attributes["a"];
    assert_eq!(answers(a), ["y", "y", "n", "y", "n"]);
    assert_abs_diff_eq!(a.prior["y"], 0.6, epsilon = 1e-6);
    assert_abs_diff_eq!(a.log_likelihood.unwrap(), -10.479980211, epsilon = 1e-9);
    assert_eq!(a.converged, Some(true));
}

#[test]
fn dawid_skene_on_the_anaesthetists() {
    // Dawid and Skene 1979; the fixed point from label fractions, converged to 1e-12.
    let options = ConsensusOptions { tolerance: 1e-12, ..Default::default() };
    let report = consensus(&fixtures::anaesthetists(), Method::DawidSkene, None, &options).unwrap();
    let ear = &report.attributes["ear"];
    assert_abs_diff_eq!(ear.log_likelihood.unwrap(), -192.890881214, epsilon = 1e-9);
    assert_eq!(ear.converged, Some(true));
    for (answer, p) in [("1", 0.399555), ("2", 0.421983), ("3", 0.111795), ("4", 0.066667)] {
        assert_abs_diff_eq!(ear.prior[answer], p, epsilon = 5e-7);
    }
    for (observer, rows) in [
        ("1", ".8895 .1105 0 0 | .0706 .8764 .0530 0 | 0 .3388 .6612 0 | 0 0 .5556 .4444"),
        ("2", ".8342 .1658 0 0 | .0527 .6329 .3143 0 | 0 0 1 0 | 0 0 0 1"),
        ("3", "1 0 0 0 | .1064 .7883 .1053 0 | 0 .4037 .1988 .3976 | 0 0 .6667 .3333"),
        ("4", ".9444 .0556 0 0 | .0537 .8426 .1037 0 | 0 0 .8012 .1988 | 0 0 .3333 .6667"),
        ("5", "1 0 0 0 | .159 .7345 .1064 0 | 0 .2091 .7909 0 | 0 0 .3333 .6667"),
    ] {
        for (truth, row) in (1..).zip(rows.split('|')) {
            for (reported, p) in (1..).zip(row.split_whitespace()) {
                let (truth, reported): (u32, u32) = (truth, reported);
                let ours = ear.annotators[observer].confusion[&truth.to_string()][&reported.to_string()];
                assert_abs_diff_eq!(ours, p.parse::<f64>().unwrap(), epsilon = 6e-5);
            }
        }
    }
    let expected = "1 4 2 2 2 2 1 3 2 2 4 3 1 2 1 1 1 1 2 2 2 2 2 2 1 1 2 1 1 1 1 3 1 2 2 4 2 3 3 1 1 1 2 1 2";
    assert_eq!(answers(ear).join(" "), expected);
    let quality: f64 = ear.prior.iter().map(|(answer, p)| p * ear.annotators["2"].confusion[answer][answer]).sum();
    assert_abs_diff_eq!(ear.annotators["2"].quality.unwrap(), quality, epsilon = 1e-12);
}

#[test]
fn the_default_tolerance_reaches_the_same_optimum() {
    let report = run(&fixtures::anaesthetists(), Method::DawidSkene);
    assert_abs_diff_eq!(report.attributes["ear"].log_likelihood.unwrap(), -192.890881214, epsilon = 1e-9);
}

#[test]
fn dawid_skene_differs_from_majority_at_three_patients() {
    // Patients 2 (3 -> 4), 12 (a 3-3 tie -> 3) and 36 (3 -> 4).
    let table = fixtures::anaesthetists();
    let (majority, dawid_skene) = (run(&table, Method::Majority), run(&table, Method::DawidSkene));
    let pairs = answers(&majority.attributes["ear"]).into_iter().zip(answers(&dawid_skene.attributes["ear"]));
    let different: Vec<_> =
        (1..).zip(pairs).filter(|(_, (m, d))| m != d).map(|(patient, (m, d))| (patient, m, d)).collect();
    let of = |patient: i32, m: &str, d: &str| (patient, m.to_owned(), d.to_owned());
    assert_eq!(different, [of(2, "3", "4"), of(12, "-", "3"), of(36, "3", "4")]);
}

#[test]
fn one_coin_finds_the_accuracies_of_a_simulated_team() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let accuracies = [0.95, 0.8, 0.6, 0.4];
    let mut table = VoteTable::new();
    let truth: Vec<u32> = (0..4000).map(|_| rng.random_range(0..3)).collect();
    for (item, &truth) in truth.iter().enumerate() {
        for (annotator, accuracy) in accuracies.iter().enumerate() {
            let wrong = (truth + rng.random_range(1..3)) % 3;
            let answer = if rng.random_bool(*accuracy) { truth } else { wrong };
            table.push(&format!("{item:04}"), &annotator.to_string(), "a", &answer.to_string());
        }
    }
    let (one_coin, majority) = (run(&table, Method::OneCoin), run(&table, Method::Majority));
    let a = &one_coin.attributes["a"];
    for (annotator, accuracy) in accuracies.iter().enumerate() {
        let estimate = &a.annotators[&annotator.to_string()];
        assert_abs_diff_eq!(estimate.quality.unwrap(), *accuracy, epsilon = 0.03);
        assert_abs_diff_eq!(estimate.confusion["0"]["1"], (1.0 - accuracy) / 2.0, epsilon = 0.02);
    }
    let right = |of: &AttributeConsensus| {
        answers(of).iter().zip(&truth).filter(|(answer, truth)| **answer == truth.to_string()).count()
    };
    assert!(right(a) > right(&majority.attributes["a"]) + 100);
}

#[test]
fn crowdlab_is_cleanlabs() {
    // cleanlab 2.9.0: get_label_quality_multiannotator(labels, pred_probs, return_weights=True).
    let (table, probabilities) = fixtures::crowdlab();
    let report = consensus(&table, Method::Crowdlab, Some(&probabilities), &ConsensusOptions::default()).unwrap();
    let a = &report.attributes["a"];
    assert_eq!(answers(a), ["0", "0", "1", "2", "2", "0", "1", "2", "1", "2"]);
    let quality = [
        0.8772070715,
        0.6302518639,
        0.8141685945,
        0.8113964643,
        0.5447236247,
        0.7489160594,
        0.5469095359,
        0.7489160594,
        0.6008766511,
        0.6642074927,
    ];
    for (item, quality) in a.items.values().zip(quality) {
        assert_abs_diff_eq!(item.quality.unwrap(), quality, epsilon = 1e-9);
        let key = item.answer.as_ref().unwrap().key();
        assert_abs_diff_eq!(item.posterior[key], quality, epsilon = 1e-9);
    }
    for (annotator, quality) in [("0", 0.8227791854), ("1", 0.6574760167), ("2", 0.6476351808)] {
        assert_abs_diff_eq!(a.annotators[annotator].quality.unwrap(), quality, epsilon = 1e-9);
    }
    let (model, annotators) = crowdlab::weights("a", &table.ratings("a").unwrap(), &probabilities);
    assert_abs_diff_eq!(model, 1.5165750888, epsilon = 1e-9);
    for (weight, expected) in annotators.iter().zip([0.5454545, 0.2424242, 0.3333333]) {
        assert_abs_diff_eq!(*weight, expected, epsilon = 5e-8);
    }
}

#[test]
fn crowdlab_is_cleanlabs_with_single_votes_and_unbroken_ties() {
    // cleanlab 2.9.0: get_label_quality_multiannotator(labels, pred_probs, return_weights=True).
    let (table, probabilities) = fixtures::crowdlab_random();
    let report = consensus(&table, Method::Crowdlab, Some(&probabilities), &ConsensusOptions::default()).unwrap();
    let a = &report.attributes["a"];
    let expected = "0 1 1 1 1 1 1 1 2 0 0 1 0 1 0 0 0 0 0 2 0 1 2 0 0 1 0 2 0 2 2 2 0 0 1 1 1 2 1 0";
    assert_eq!(answers(a).join(" "), expected);
    let quality = "0.4184509051 0.4549305552 0.4422028992 0.4298164333 0.4659017567 0.4657137683 0.4659021231 0.3537177853 \
        0.5856289125 0.4301612356 0.7853268920 0.4447085162 0.5099994599 0.7758201754 0.4893496813 0.6638411049 0.5020834960 \
        0.8899988833 0.6800000181 0.6769115211 0.5253366707 0.5184182688 0.5444361542 0.6578373431 0.4503558346 0.5263559637 \
        0.7853268920 0.4761120093 0.5399808275 0.7735092498 0.6358327042 0.5800001698 0.5051287003 0.5191913403 0.4775314837 \
        0.6153826052 0.6865671790 0.6199992930 0.5810600881 0.5929418615";
    for (item, quality) in a.items.values().zip(quality.split_whitespace()) {
        assert_abs_diff_eq!(item.quality.unwrap(), quality.parse::<f64>().unwrap(), epsilon = 1e-9);
    }
    let quality = [0.6329088493, 0.5442270906, 0.4816110358, 0.4667430711, 0.5236092155];
    for (annotator, quality) in a.annotators.values().zip(quality) {
        assert_abs_diff_eq!(annotator.quality.unwrap(), quality, epsilon = 1e-9);
    }
    let (model, annotators) = crowdlab::weights("a", &table.ratings("a").unwrap(), &probabilities);
    assert_abs_diff_eq!(model, 0.6590516144, epsilon = 1e-9);
    for (weight, expected) in annotators.iter().zip([0.1921664627, 0.1527599487, 1e-6, 1e-6, 0.1113831089]) {
        assert_abs_diff_eq!(*weight, expected, epsilon = 1e-9);
    }
}

#[test]
fn crowdlab_leaves_the_unseen_to_the_majority() {
    let (mut table, probabilities) = fixtures::crowdlab();
    for annotator in ["0", "1"] {
        table.push("no prediction", annotator, "a", "1");
    }
    table.push("hidden", "0", "a", "not_visible");
    table.push("hidden", "1", "a", "not_visible");
    table.push("hidden", "2", "a", "0");
    table.push("00", "2", "a", "not_visible");
    let mut with_hidden = probabilities.clone();
    for (answer, p) in [("0", 0.9), ("1", 0.05), ("2", 0.05)] {
        with_hidden.push("hidden", "a", answer, p);
    }
    let report = consensus(&table, Method::Crowdlab, Some(&with_hidden), &ConsensusOptions::default()).unwrap();
    let a = &report.attributes["a"];
    assert_eq!(a.items["hidden"].answer, Some(Answer::NotVisible));
    assert_eq!(a.items["no prediction"].answer, Some(Answer::from("1")));
    assert!(report.warnings[0].contains("2 items were decided by majority"), "{:?}", report.warnings);
    // The not visible vote on item 0 is left out: its figures are those of the untouched table.
    assert_abs_diff_eq!(a.items["00"].quality.unwrap(), 0.8772070715, epsilon = 1e-9);
    assert_abs_diff_eq!(a.items["00"].posterior["not_visible"], 0.0);
}

#[test]
fn crowdlab_says_when_probabilities_do_not_sum_to_one() {
    let (table, _) = fixtures::crowdlab();
    let (_, whole) = fixtures::crowdlab();
    let mut halved = Probabilities::new();
    for (item, attribute, answer, p) in whole.iter() {
        halved.push(item, attribute, answer, if item == "03" { p / 2.0 } else { p });
    }
    let report = consensus(&table, Method::Crowdlab, Some(&halved), &ConsensusOptions::default()).unwrap();
    assert_eq!(report.warnings, ["a: the probabilities of 1 items do not sum to 1 and were scaled"]);
    assert_abs_diff_eq!(report.attributes["a"].items["03"].quality.unwrap(), 0.8113964643, epsilon = 1e-9);
}

#[test]
fn crowdlab_without_a_model_is_refused() {
    let error = consensus(&fixtures::toy(), Method::Crowdlab, None, &ConsensusOptions::default()).unwrap_err();
    assert_eq!(error, ConsensusError::NeedsProbabilities);
}

#[test]
fn an_adjudication_stands_above_the_votes() {
    let mut report = run(&fixtures::toy(), Method::Majority);
    report.adjudicate("t1", "a", &Answer::from("y"));
    let t1 = &report.attributes["a"].items["t1"];
    assert_eq!((t1.answer.as_ref().unwrap().key(), t1.tied.len(), t1.adjudicated), ("y", 0, true));
    assert_eq!(t1.posterior, [("y".to_owned(), 1.0)].into());
}

fn votes() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::btree_map((0u8..10, 0u8..5), 0u8..4, 1..45)
        .prop_map(|votes| votes.into_iter().map(|((item, annotator), answer)| (item, annotator, answer)).collect())
}

fn table(votes: &[(u8, u8, u8)]) -> VoteTable {
    let mut table = VoteTable::new();
    for (item, annotator, answer) in votes {
        table.push(&item.to_string(), &annotator.to_string(), "a", &answer.to_string());
    }
    table
}

/// A model that knows three of the four answers, and not of every item.
fn model(seed: u64) -> Probabilities {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut probabilities = Probabilities::new();
    for item in 0..8 {
        let row: [f64; 3] = [rng.random(), rng.random(), rng.random()];
        for (answer, p) in row.iter().enumerate() {
            probabilities.push(&item.to_string(), "a", &answer.to_string(), p / row.iter().sum::<f64>());
        }
    }
    probabilities
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_votes_does_not_matter(votes in votes(), seed in any::<u64>()) {
        use rand::{SeedableRng, seq::SliceRandom};
        let mut shuffled = votes.clone();
        shuffled.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        let options = ConsensusOptions { max_iterations: 50, ..Default::default() };
        for method in Method::ALL {
            let [a, b] = [&votes, &shuffled].map(|votes| consensus(&table(votes), method, Some(&model(seed)), &options));
            prop_assert_eq!(a.unwrap(), b.unwrap());
        }
    }

    #[test]
    fn posteriors_are_distributions_and_the_answer_has_the_most(votes in votes(), seed in any::<u64>()) {
        let options = ConsensusOptions { max_iterations: 50, ..Default::default() };
        for method in Method::ALL {
            let report = consensus(&table(&votes), method, Some(&model(seed)), &options).unwrap();
            let a = &report.attributes["a"];
            for item in a.items.values() {
                let sum: f64 = item.posterior.values().sum();
                prop_assert!((sum - 1.0).abs() < 1e-9, "{} {}", method, sum);
                prop_assert!(item.posterior.values().all(|p| (0.0..=1.0 + 1e-12).contains(p)));
                prop_assert_eq!(item.answer.is_none(), !item.tied.is_empty());
                let most = item.posterior.values().copied().fold(0.0, f64::max);
                // CROWDLAB reweighs once the labels are chosen, so only the other methods promise the mode.
                if let (Some(answer), true) = (&item.answer, method != Method::Crowdlab) {
                    prop_assert!(item.posterior[answer.key()] >= most - 1e-9);
                }
            }
            for annotator in a.annotators.values() {
                prop_assert!(annotator.quality.is_none_or(|quality| (0.0..=1.0 + 1e-9).contains(&quality)));
                for row in annotator.confusion.values() {
                    prop_assert!((row.values().sum::<f64>() - 1.0).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn each_iteration_makes_the_votes_more_likely(votes in votes()) {
        let table = table(&votes);
        for method in [Method::DawidSkene, Method::OneCoin] {
            let mut last = f64::NEG_INFINITY;
            for max_iterations in [1, 2, 3, 5, 9] {
                let named: NamedRatings<'_> = table.ratings("a").unwrap();
                let options = ConsensusOptions { max_iterations, tolerance: 0.0 };
                let now = decide("a", named, method, None, &options).unwrap().log_likelihood.unwrap();
                prop_assert!(now >= last - 1e-9, "{} {} {}", method, last, now);
                last = now;
            }
        }
    }

    #[test]
    fn majority_is_tied_exactly_where_two_counts_are_the_largest(votes in votes()) {
        let report = run(&table(&votes), Method::Majority);
        for (item, consensus) in &report.attributes["a"].items {
            let mut counts = [0; 4];
            votes.iter().filter(|vote| vote.0.to_string() == *item).for_each(|vote| counts[vote.2 as usize] += 1);
            let most = counts.iter().max().unwrap();
            let winners: Vec<String> = (0..4).filter(|&a| counts[a] == *most).map(|a| a.to_string()).collect();
            match &consensus.answer {
                Some(answer) => prop_assert_eq!(&winners, &[answer.key().to_owned()]),
                None => prop_assert_eq!(&winners, &consensus.tied),
            }
        }
    }
}
