//! Seeded teams with planted faults: what the figures are for must be found, by margins that can fail.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::agreement::{AgreementOptions, AttributeAgreement, agreement};

const VALUES: [&str; 4] = ["cropped", "drop", "erect", "semi_erect"];
const ERECT: usize = 2;
const SEMI_ERECT: usize = 3;

/// How a member of the team answers.
#[derive(Debug, Clone, Copy)]
enum Member {
    /// Right with this probability, else any other value.
    Accurate(f64),
    /// As `Accurate(.95)`, but takes erect for semi-erect and semi-erect for erect with this probability.
    Confuses(f64),
    /// Any value, whatever the photo shows.
    Spammer,
    /// Always the same value.
    Lazy(usize),
}

impl Member {
    fn answer(self, truth: usize, rng: &mut ChaCha8Rng) -> usize {
        let other = |rng: &mut ChaCha8Rng| (truth + rng.random_range(1..VALUES.len())) % VALUES.len();
        let accurate = |p: f64, rng: &mut ChaCha8Rng| if rng.random_bool(p) { truth } else { other(rng) };
        match self {
            Self::Accurate(p) => accurate(p, rng),
            Self::Confuses(p) if truth >= ERECT && rng.random_bool(p) => ERECT + SEMI_ERECT - truth,
            Self::Confuses(_) => accurate(0.95, rng),
            Self::Spammer => rng.random_range(0..VALUES.len()),
            Self::Lazy(value) => value,
        }
    }
}

struct Simulated {
    table: VoteTable,
    truths: Vec<usize>,
}

/// Photos that `each` members of the team answer, another few for every photo.
fn simulate(team: &[Member], photos: usize, each: usize, seed: u64) -> Simulated {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut table = VoteTable::new();
    let truths: Vec<usize> = (0..photos).map(|_| rng.random_range(0..VALUES.len())).collect();
    for (photo, &truth) in truths.iter().enumerate() {
        let mut members: Vec<usize> = (0..team.len()).collect();
        for place in 0..each {
            members.swap(place, rng.random_range(place..team.len()));
            let member = members[place];
            let answer = team[member].answer(truth, &mut rng);
            table.push(&format!("{photo:04}"), &format!("member {member}"), "ear", VALUES[answer]);
        }
    }
    Simulated { table, truths }
}

impl Simulated {
    fn agreement(&self) -> AttributeAgreement {
        agreement(&self.table, &AgreementOptions::default()).attributes.remove("ear").unwrap()
    }

    fn consensus(&self, method: Method, probabilities: Option<&Probabilities>) -> AttributeConsensus {
        let mut report = consensus(&self.table, method, probabilities, &ConsensusOptions::default()).unwrap();
        report.attributes.remove("ear").unwrap()
    }

    /// Share of right answers; a tie counts as if one of its answers were drawn.
    fn accuracy(&self, consensus: &AttributeConsensus) -> f64 {
        let right = |(item, &truth): (&ItemConsensus, &usize)| match &item.answer {
            Some(answer) => f64::from(u8::from(answer.key() == VALUES[truth])),
            None if item.tied.iter().any(|key| key == VALUES[truth]) => 1.0 / item.tied.len() as f64,
            None => 0.0,
        };
        consensus.items.values().zip(&self.truths).map(right).sum::<f64>() / self.truths.len() as f64
    }

    /// A model that sees the truth with probability `accuracy`, and is as sure as it is right.
    fn model(&self, accuracy: f64, seed: u64) -> Probabilities {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut probabilities = Probabilities::new();
        for (photo, &truth) in self.truths.iter().enumerate() {
            let seen = Member::Accurate(accuracy).answer(truth, &mut rng);
            for (value, key) in VALUES.iter().enumerate() {
                let p = if value == seen { accuracy } else { (1.0 - accuracy) / 3.0 };
                probabilities.push(&format!("{photo:04}"), "ear", key, p);
            }
        }
        probabilities
    }
}

/// The name with the least of what `quality` tells.
fn worst(consensus: &AttributeConsensus) -> &str {
    let by_quality = |(_, one): &(&String, &AnnotatorConsensus), (_, other): &(&String, &AnnotatorConsensus)| {
        one.quality.unwrap().total_cmp(&other.quality.unwrap())
    };
    consensus.annotators.iter().min_by(by_quality).unwrap().0
}

const SEEDS: std::ops::Range<u64> = 0..100;

#[test]
fn fifty_photos_with_two_answers_show_the_confused_pair_and_the_spammer() {
    let team = [Member::Confuses(0.4), Member::Confuses(0.4), Member::Confuses(0.4), Member::Confuses(0.4)];
    let with_spammer = [team[0], team[1], team[2], Member::Spammer];
    let (mut pairs, mut spammers) = (0, 0);
    for seed in SEEDS {
        let a = simulate(&team, 50, 2, seed).agreement();
        let first = &a.confused[0];
        pairs += u32::from((first.a.as_str(), first.b.as_str()) == (VALUES[ERECT], VALUES[SEMI_ERECT]));
        let a = simulate(&with_spammer, 50, 2, seed).agreement();
        let costliest = a.by_annotator.iter().max_by(|one, other| one.cost.partial_cmp(&other.cost).unwrap()).unwrap();
        spammers += u32::from(costliest.annotator == "member 3");
    }
    println!("pair {pairs}, spammer {spammers}");
    assert!(pairs >= 98, "the pair was first in {pairs} of 100 teams");
    assert!(spammers >= 95, "the spammer cost most in {spammers} of 100 teams");
}

#[test]
fn quality_ranks_the_spammer_last() {
    for (name, spammer) in [("spammer", Member::Spammer), ("lazy", Member::Lazy(ERECT))] {
        for (method, least) in [(Method::Majority, 24), (Method::DawidSkene, 24), (Method::OneCoin, 24)] {
            let team =
                [Member::Accurate(0.9), Member::Accurate(0.8), Member::Confuses(0.3), Member::Accurate(0.7), spammer];
            let last =
                (0..25).filter(|&seed| worst(&simulate(&team, 200, 3, seed).consensus(method, None)) == "member 4");
            let last = last.count();
            println!("{name} {method} {last}");
            assert!(last >= least, "{name} was last by {method} in {last} of 25 teams");
        }
    }
}

#[test]
fn dawid_skene_beats_majority_where_spammers_vote() {
    let team =
        [Member::Accurate(0.9), Member::Accurate(0.85), Member::Confuses(0.3), Member::Spammer, Member::Lazy(ERECT)];
    let mut gains = Vec::new();
    for seed in 0..10 {
        let simulated = simulate(&team, 1000, 4, seed);
        let [majority, dawid_skene] =
            [Method::Majority, Method::DawidSkene].map(|method| simulated.accuracy(&simulated.consensus(method, None)));
        gains.push(dawid_skene - majority);
    }
    println!("{gains:?}");
    assert!(gains.iter().all(|gain| *gain > 0.02), "{gains:?}");
}

#[test]
fn crowdlab_beats_majority_with_a_good_model_and_hardly_loses_with_a_poor_one() {
    let team = [Member::Accurate(0.8), Member::Accurate(0.7), Member::Confuses(0.3), Member::Spammer];
    for seed in 0..20 {
        let simulated = simulate(&team, 500, 2, seed);
        let majority = simulated.accuracy(&simulated.consensus(Method::Majority, None));
        let with = |accuracy| {
            let model = simulated.model(accuracy, seed + 1000);
            simulated.accuracy(&simulated.consensus(Method::Crowdlab, Some(&model)))
        };
        let (good, poor) = (with(0.85), with(0.3));
        println!("{majority} {good} {poor}");
        assert!(good > majority + 0.1, "{majority} {good}");
        assert!(poor > majority - 0.02, "{majority} {poor}");
    }
}
