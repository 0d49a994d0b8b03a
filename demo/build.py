#!/usr/bin/env python3
"""Chooses the demo's photos from a folder in the Oxford-IIIT Pet layout and copies them with their annotations.

    PETS=DIR demo/build.py

For each breed: three photos of trainval and two of test, spread evenly over the breed's numbers. Exact duplicates are
passed over. Only demo/images and demo/annotations are rewritten; the labels and the truth file are people's work.
"""
import hashlib
import os
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
PER_SPLIT = {"trainval": 3, "test": 2}


def rows(path):
    return [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]


def spread(names, count):
    """`count` names at even distances, in the order of their numbers."""
    names = sorted(names, key=lambda name: int(name.rsplit("_", 1)[1]))
    return [names[(2 * i + 1) * len(names) // (2 * count)] for i in range(count)]


def main():
    if "PETS" not in os.environ:
        sys.exit("PETS is not set: give the folder that holds images/ and annotations/, as in PETS=DIR demo/build.py")
    pets = pathlib.Path(os.environ["PETS"])
    images, annotations = HERE / "images", HERE / "annotations"
    for folder in (images, annotations):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    seen, chosen = set(), {}
    for split, count in PER_SPLIT.items():
        by_breed = {}
        for row in rows(pets / "annotations" / f"{split}.txt"):
            by_breed.setdefault(row[0].rsplit("_", 1)[0], []).append(row[0])
        for breed, names in sorted(by_breed.items()):
            for name in spread(names, count):
                digest = hashlib.sha256((pets / "images" / f"{name}.jpg").read_bytes()).digest()
                if digest in seen:
                    sys.exit(f"{name}: the same bytes as another chosen photo")
                seen.add(digest)
                chosen[name] = split
                shutil.copyfile(pets / "images" / f"{name}.jpg", images / f"{name}.jpg")
    for table in ("list", "trainval", "test"):
        lines = (pets / "annotations" / f"{table}.txt").read_text().splitlines()
        kept = [line for line in lines if line.startswith("#") or line.split()[0] in chosen]
        (annotations / f"{table}.txt").write_text("\n".join(kept) + "\n")
    print(f"{len(chosen)} photos")


if __name__ == "__main__":
    main()
