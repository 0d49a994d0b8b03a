"""Answers that nobody gave: one a photo and attribute, drawn from its breed's row in breed_standards.csv, some of them wrong.

    simulate_labels.py DIR [--wrong 0.1] [--seed 0] > votes.csv

DIR holds breed_standards.csv and annotations/{trainval,test}.txt in the layout of the Oxford-IIIT Pet Dataset. A wrong
answer is one of the attribute's other values, all of them alike. The file is what `kenami labels import` reads. A model
trained on such answers shows that the machinery works; it says nothing about the question whether real labels pay.
"""

import argparse
import collections
import csv
import random
import sys
from pathlib import Path


def standards(path):
    """Per breed and attribute: values with their probabilities."""
    rows = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            attributes = rows.setdefault(row["breed"], collections.defaultdict(dict))
            for column, share in row.items():
                if "." in column:
                    attribute, value = column.split(".", 1)
                    attributes[attribute][value] = float(share)
    return rows


def photos(folder):
    for split in ("trainval.txt", "test.txt"):
        for line in (folder / "annotations" / split).read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.split()[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wrong", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    by_breed = standards(arguments.folder / "breed_standards.csv")
    out = csv.writer(sys.stdout)
    out.writerow(["image", "annotator", "attribute", "answer"])
    for name in photos(arguments.folder):
        for attribute, shares in by_breed[name.rsplit("_", 1)[0]].items():
            answer = rng.choices(list(shares), weights=shares.values())[0]
            if rng.random() < arguments.wrong:
                answer = rng.choice([value for value in shares if value != answer])
            out.writerow([f"{name}.jpg", "simulated", attribute, answer])


if __name__ == "__main__":
    main()
