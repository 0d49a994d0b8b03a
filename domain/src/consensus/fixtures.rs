//! Tables with published results, shared by the tests of agreement and consensus.

use crate::{csvio::Probabilities, votes::VoteTable};

/// Dawid and Skene 1979 (Applied Statistics 28:20), table 1: 45 patients; the first three digits are observer 1's three
/// readings, then observers 2 to 5.
pub(crate) fn anaesthetists() -> VoteTable {
    let text = "1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 \
        2322223 4444444 2223343 1111111 2223212 1211111 1112111 1111111 1111111 \
        2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 \
        1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343 \
        2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222";
    let mut table = VoteTable::new();
    for (patient, digits) in (1..).zip(text.split_whitespace()) {
        for (observer, digit) in ["1", "1", "1", "2", "3", "4", "5"].iter().zip(digits.chars()) {
            table.push(&format!("{patient:02}"), observer, "ear", &digit.to_string());
        }
    }
    table
}

/// The toy table of crowd-kit's tests: five workers, tasks t1 to t5.
pub(crate) fn toy() -> VoteTable {
    let mut table = VoteTable::new();
    for (worker, answers) in [("w1", "nyyyy"), ("w2", "yynyn"), ("w3", "-ynyn"), ("w4", "ynyyn"), ("w5", "nnnyn")] {
        for (task, answer) in (1..).zip(answers.chars()).filter(|(_, answer)| *answer != '-') {
            table.push(&format!("t{task}"), worker, "a", &answer.to_string());
        }
    }
    table
}

/// 10 items x 3 annotators, 3 classes, with a model's probabilities (computed with cleanlab 2.9.0).
pub(crate) fn crowdlab() -> (VoteTable, Probabilities) {
    let labels = "00. 010 111 22. .21 0.0 112 2.2 10. .22";
    let model = ".9 .05 .05|.6 .3 .1|.1 .8 .1|.05 .15 .8|.1 .3 .6|.7 .2 .1|.2 .5 .3|.1 .2 .7|.3 .6 .1|.2 .2 .6";
    let (mut table, mut probabilities) = (VoteTable::new(), Probabilities::new());
    for (item, (votes, row)) in labels.split(' ').zip(model.split('|')).enumerate() {
        let item = item.to_string();
        for (annotator, answer) in (0..).zip(votes.chars()).filter(|(_, answer)| *answer != '.') {
            let annotator: u32 = annotator;
            table.push(&item, &annotator.to_string(), "a", &answer.to_string());
        }
        for (answer, p) in row.split(' ').enumerate() {
            probabilities.push(&item, "a", &answer.to_string(), p.parse().unwrap());
        }
    }
    (table, probabilities)
}
