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
    table_and_model(
        "00. 010 111 22. .21 0.0 112 2.2 10. .22",
        ".9 .05 .05|.6 .3 .1|.1 .8 .1|.05 .15 .8|.1 .3 .6|.7 .2 .1|.2 .5 .3|.1 .2 .7|.3 .6 .1|.2 .2 .6",
    )
}

/// 40 items x 5 annotators, 3 classes, drawn at random: single votes, ties that the model does not break, annotators no
/// better than guessing (computed with cleanlab 2.9.0).
pub(crate) fn crowdlab_random() -> (VoteTable, Probabilities) {
    table_and_model(
        "01... .10.. ...01 1...0 1.0.. 11.20 1.... .2.1. 22... 100.. 00.00 10... ..1.. ...11 00.01 ..0.1 ...00 ...1. ..0.. \
        2.1.2 00.10 ....0 .1202 00... 0.2.1 .1.21 000.0 12.2. 0..00 22..2 2..22 ...2. 0...2 ...10 11.20 1021. .01.0 ..1.. \
        1...1 .00..",
        ".4 .4 .2|.4 .4 .2|.4 .4 .2|.4 .4 .2|.4 .4 .2|.4 .4 .2|.4 .4 .2|.4 .4 .2|.38 .09 .53|.45 .01 .54|.85 .06 .09|\
        .11 .44 .45|.51 .41 .08|.18 .79 .03|.44 .3 .26|.75 .16 .09|.47 .25 .28|.89 .03 .08|.68 .2 .12|.12 .21 .67|\
        .41 .45 .14|.22 .58 .2|.05 .34 .61|.64 .03 .33|.43 .1 .47|.04 .46 .5|.85 .14 .01|.01 .47 .52|.47 .43 .1|\
        .02 .15 .83|.18 .21 .61|.28 .14 .58|.51 .2 .29|.49 .43 .08|.2 .42 .38|.19 .7 .11|.1 .9 0|.12 .26 .62|\
        .46 .53 .01|.57 .39 .04",
    )
}

/// Items `00`, `01`, ...: one character an annotator (`.`: no vote) and one row of probabilities each.
fn table_and_model(labels: &str, model: &str) -> (VoteTable, Probabilities) {
    let (mut table, mut probabilities) = (VoteTable::new(), Probabilities::new());
    for (item, (votes, row)) in labels.split_whitespace().zip(model.split('|')).enumerate() {
        let item = format!("{item:02}");
        for (annotator, answer) in (0u32..).zip(votes.chars()).filter(|(_, answer)| *answer != '.') {
            table.push(&item, &annotator.to_string(), "a", &answer.to_string());
        }
        for (answer, p) in row.split_whitespace().enumerate() {
            probabilities.push(&item, "a", &answer.to_string(), p.parse().unwrap());
        }
    }
    (table, probabilities)
}
