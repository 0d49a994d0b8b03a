"""Agreement and consensus on one file of votes: kenami beside krippendorff and crowd-kit, alternating in one run.

    bench_agreement.py --ours BINARY --votes FILE.csv --count N --rounds N --json FILE

The file is made by a seeded generator: 200 annotators of accuracies from .4 to .95, five votes an item, four values and
not visible. Every measurement is a process of its own, from its start to its end, reading of the file included:

- agreement: `kenami agreement FILE --json` (alpha twice, percent, Fleiss, AC1, confused answers, 19,900 pairs of
  annotators) beside pandas.read_csv, a table of votes per item and answer, and krippendorff.alpha (alpha alone).
- dawid-skene: `kenami consensus FILE --method dawid-skene --json`, run until no probability moves by more than 1e-12,
  beside crowd-kit's DawidSkene with its defaults, which stops when the bound gains less than 1e-5 a vote, and beside
  the same run to its fixed point (once: it is slow).

Then the values are compared: alpha to 1e-9; the consensus with that of crowd-kit at its fixed point, answer by answer, and
the log-likelihood of the votes under both fits, computed by one function for both. It exits with 1 where they do not agree.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time

ANSWERS = ["cropped", "drop", "erect", "not_visible", "semi_erect"]
ANNOTATORS, EACH = 200, 5


def make_votes(path, count):
    """Writes the votes, once."""
    if os.path.exists(path):
        return
    rng = random.Random(0)
    with open(path + ".new", "w") as file:
        file.write("item,annotator,attribute,answer\n")
        for item in range(count // EACH):
            truth = rng.randrange(len(ANSWERS))
            for annotator in rng.sample(range(ANNOTATORS), EACH):
                accuracy = 0.4 + 0.55 * annotator / ANNOTATORS
                wrong = (truth + rng.randrange(1, len(ANSWERS))) % len(ANSWERS)
                answer = ANSWERS[truth if rng.random() < accuracy else wrong]
                file.write(f"{item:07}.jpg,annotator-{annotator:03},ear,{answer}\n")
    os.replace(path + ".new", path)


# --- the other side: one process a measurement ------------------------------------------------------------------------


def their_agreement(path):
    """Alpha by krippendorff, from a table of votes per item and answer, which is its quicker way in."""
    import krippendorff
    import numpy
    import pandas

    votes = pandas.read_csv(path)
    items, _ = pandas.factorize(votes["item"])
    answers, names = pandas.factorize(votes["answer"])
    cells = numpy.bincount(items * len(names) + answers, minlength=(items.max() + 1) * len(names))
    counts = cells.reshape(-1, len(names))
    return {"alpha": float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))}


def their_consensus(path, tolerance, iterations):
    """Dawid-Skene by crowd-kit."""
    import pandas
    from crowdkit.aggregation import DawidSkene

    votes = pandas.read_csv(path).rename(columns={"item": "task", "annotator": "worker", "answer": "label"})
    fit = DawidSkene(n_iter=iterations, tol=tolerance).fit(votes)
    errors = {f"{worker}\t{label}": row.to_dict() for (worker, label), row in fit.errors_.iterrows()}
    return {
        "labels": fit.labels_.to_dict(),
        "prior": fit.priors_.to_dict(),
        "errors": errors,
        "iterations": len(fit.loss_history_),
    }


# --- values -----------------------------------------------------------------------------------------------------------


def log_likelihood(votes, prior, reported):
    """Of the votes under a fit; `reported(annotator, answer)` is P(answer | truth) for each truth in the order of ANSWERS."""
    import numpy
    import pandas

    of_vote, pairs = pandas.factorize(votes["annotator"] + "\t" + votes["answer"])
    with numpy.errstate(divide="ignore"):
        logarithms = numpy.log(numpy.array([reported(*pair.split("\t")) for pair in pairs]))
        log_prior = numpy.log(numpy.array(prior))
    items, _ = pandas.factorize(votes["item"])
    sums = numpy.tile(log_prior, (items.max() + 1, 1))
    numpy.add.at(sums, items, logarithms[of_vote])
    return float(numpy.logaddexp.reduce(sums, axis=1).sum())


def compare(path, ours_agreement, theirs_agreement, ours_consensus, theirs_consensus):
    """What of ours and theirs is the same."""
    import pandas

    votes = pandas.read_csv(path)
    ear = ours_consensus["attributes"]["ear"]
    confusion = {name: of["confusion"] for name, of in ear["annotators"].items()}
    ours = log_likelihood(
        votes,
        [ear["prior"][answer] for answer in ANSWERS],
        lambda annotator, answer: [confusion[annotator].get(truth, {}).get(answer, 0.0) for truth in ANSWERS],
    )
    errors = theirs_consensus["errors"]
    theirs = log_likelihood(
        votes,
        [theirs_consensus["prior"][answer] for answer in ANSWERS],
        lambda annotator, answer: [errors[f"{annotator}\t{answer}"][truth] for truth in ANSWERS],
    )
    labels = theirs_consensus["labels"]
    different = sum(of["answer"] != labels[item] for item, of in ear["items"].items())
    alpha = abs(ours_agreement["attributes"]["ear"]["alpha"] - theirs_agreement["alpha"])
    return {
        "alpha_difference": alpha,
        "items": len(labels),
        "different_labels": different,
        "log_likelihood": ours,
        "log_likelihood_reported": ear["log_likelihood"],
        "crowd_kit_log_likelihood": theirs,
        "iterations": ear["iterations"],
        "converged": ear["converged"],
        "crowd_kit_iterations": theirs_consensus["iterations"],
        "agree": alpha < 1e-9
        and abs(ours - ear["log_likelihood"]) < 1e-9 * abs(ours)
        and (different == 0 or ours >= theirs - 1e-9 * abs(theirs)),
    }


# --- measurements -----------------------------------------------------------------------------------------------------


def measure(command, out):
    """Seconds of one process, from its start to its end, its output in a file; and its peak memory in MB."""
    with open(out, "w") as file:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"error: {' '.join(command)} failed")
    return seconds, usage.ru_maxrss / 1024


def case(name, ours, theirs, rounds, folder):
    """Alternates the sides; who comes first changes with every round."""
    sides = {"ours": ours, "theirs": theirs}
    taken = {side: [] for side in sides}
    for number in range(rounds):
        for side in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            taken[side].append(measure(sides[side], os.path.join(folder, f"{name}-{side}.json")))
    seconds = {side: statistics.median(one[0] for one in taken[side]) for side in sides}
    peaks = {side: round(max(one[1] for one in taken[side])) for side in sides}
    row = {
        "case": name,
        "seconds": round(seconds["ours"], 3),
        "their_seconds": round(seconds["theirs"], 3),
        "ratio": round(seconds["theirs"] / seconds["ours"], 2),
        "peak_mb": peaks["ours"],
        "their_peak_mb": peaks["theirs"],
        "rounds": rounds,
    }
    print(
        f"{name:<24} {row['seconds']:>8.2f} {row['their_seconds']:>8.2f} {row['ratio']:>7.2f} "
        f"{row['peak_mb']:>8} {row['their_peak_mb']:>8}",
        flush=True,
    )
    return row


def drive(arguments):
    import tempfile

    make_votes(arguments.votes, arguments.count)
    me = [sys.executable, os.path.abspath(__file__)]
    agreement = [arguments.ours, "agreement", arguments.votes, "--json"]
    consensus = [arguments.ours, "consensus", arguments.votes, "--method", "dawid-skene", "--json"]
    their = lambda *what: me + ["--their", *what, "--votes", arguments.votes]
    print(f"{arguments.count} votes of {ANNOTATORS} annotators; seconds of the whole command, median")
    print(f"{'case':<24} {'ours':>8} {'theirs':>8} {'ratio':>7} {'peak MB':>8} {'theirs':>8}")
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            case("agreement", agreement, their("agreement"), arguments.rounds, folder),
            case("dawid-skene", consensus, their("consensus"), arguments.rounds, folder),
            case("dawid-skene, fixed point", consensus, their("fixed-point"), 1, folder),
        ]
        read = lambda name: json.load(open(os.path.join(folder, name + ".json")))
        values = compare(
            arguments.votes,
            read("agreement-ours"),
            read("agreement-theirs"),
            read("dawid-skene, fixed point-ours"),
            read("dawid-skene, fixed point-theirs"),
        )
    print(f"alpha: differs by {values['alpha_difference']:.1e}")
    print(
        f"dawid-skene: {values['different_labels']} of {values['items']} labels differ from crowd-kit's fixed point; "
        f"log-likelihood {values['log_likelihood']:.6f} after {values['iterations']} iterations, "
        f"crowd-kit's {values['crowd_kit_log_likelihood']:.6f} after {values['crowd_kit_iterations']}"
    )
    with open(arguments.json, "w") as file:
        json.dump({"votes": arguments.count, "cases": rows, "values": values}, file, indent=1)
        file.write("\n")
    sys.exit(0 if values["agree"] else 1)


def main():
    parser = argparse.ArgumentParser(description="kenami beside krippendorff and crowd-kit, alternating.")
    parser.add_argument("--votes", required=True, help="the file of votes; made where it is not there")
    parser.add_argument("--ours", help="the kenami binary, built with optimisation")
    parser.add_argument("--count", type=int, default=1_000_000, help="votes to make")
    parser.add_argument("--rounds", type=int, default=5, help="measurements a side")
    parser.add_argument("--json", help="the file of results to write")
    parser.add_argument("--their", choices=["agreement", "consensus", "fixed-point"], help="be the other side, once")
    arguments = parser.parse_args()
    if arguments.their == "agreement":
        print(json.dumps(their_agreement(arguments.votes)))
    elif arguments.their:
        limits = (1e-5, 100) if arguments.their == "consensus" else (1e-13, 400)
        print(json.dumps(their_consensus(arguments.votes, *limits)))
    else:
        drive(arguments)


if __name__ == "__main__":
    main()
