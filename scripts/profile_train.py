"""Where the time of a training benchmark's case goes: a sampling profile of our side of `make bench-train`.

    profile_train.py --ours BINARY --table FILE --photos DIR [--threads N] [CASE ...]

Each case runs for some seconds under `perf record`; samples are summed by operation (`GROUPS` below). For networks the
table also has the attained arithmetic: multiplications and additions of direct convolutions, whatever the algorithm needs.
"""

import argparse
import collections
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from bench_train import CASES, processor

SECONDS, BATCH, SIZE = 12.0, 16, 224
# 10^9 multiply-adds of one forward pass at 224 pixels: torchvision's and timm's published figures.
GIGA_MACS = {
    "resnet34": 3.66,
    "resnet50": 4.09,
    "resnext50_32x4d": 4.23,
    "efficientnet_lite0": 0.385,
    "efficientnet_b0": 0.386,
}
# What a symbol's name contains, and what the table calls it; the first that fits counts.
GROUPS = [
    ("winograd", "Winograd's transforms"),
    ("conv::panel", "products of dense convolutions"),
    ("conv::weights", "gathering windows of convolutions"),
    ("grouped", "grouped convolutions"),
    ("depthwise", "depthwise convolutions"),
    ("microkernel", "matrix products (1x1 convolutions, heads)"),
    ("gemm", "packing of matrix products"),
    ("pointwise", "reading and writing maps of 1x1 convolutions"),
    ("ops::lanes", "batch-norm, activation and their gradients"),
    ("ops::access", "batch-norm, activation and their gradients"),
    ("inverted_residual", "fused inverted residuals"),
    ("ops::stem", "stem"),
    ("pool", "pooling"),
    ("optim", "optimiser"),
    ("zune_jpeg", "decoding"),
    ("fast_image_resize", "resizing"),
    ("normalisation", "normalising pixels"),
    ("candle_core", "candle's operations"),
    ("memset", "moving and clearing memory"),
    ("memcpy", "moving and clearing memory"),
    ("memmove", "moving and clearing memory"),
    ("malloc", "allocation"),
    ("int_free", "allocation"),
    ("sched_yield", "waiting for the other thread"),
    ("rayon", "waiting for the other thread"),
    ("crossbeam", "waiting for the other thread"),
    ("finish_task_switch", "waiting for the other thread"),
    ("__schedule", "waiting for the other thread"),
    ("clear_page", "fresh memory from the kernel"),
    ("page_fault", "fresh memory from the kernel"),
]
BEGIN, END = "<!-- profile-train: written by scripts/profile_train.py -->", "<!-- profile-train: end -->"


def measure(binary, case, environment, data):
    """Runs the case under perf for some seconds; images a second, the median."""
    command = ["perf", "record", "-q", "-F", "499", "-o", data, binary, case]
    side = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    first = side.stdout.readline().strip()
    if first != "ready":
        sys.exit(f"{case}: {first}")
    rates, begin = [], time.monotonic()
    while time.monotonic() - begin < SECONDS:
        side.stdin.write("\n")
        side.stdin.flush()
        images, seconds = side.stdout.readline().split()
        rates.append(int(images) / float(seconds))
    side.stdin.close()
    side.wait()
    return statistics.median(rates)


def symbols(data):
    """Share of the samples by symbol."""
    command = ["perf", "report", "-i", data, "--stdio", "--no-children", "-F", "overhead,sym", "--percent-limit", "0.05"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        if found := re.match(r"\s*([\d.]+)%\s+\[(.)\]\s+(.*)", line):
            yield float(found[1]), found[2], found[3]


def operation(kind, symbol):
    name = symbol.lower()
    for part, title in GROUPS:
        if part in name:
            return title
    return "the kernel, other" if kind == "k" else "other"


def row(case, binary, environment, verbose):
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        rate = measure(binary, case, environment, data)
        shares = collections.Counter()
        for share, kind, symbol in symbols(data):
            shares[operation(kind, symbol)] += share
            if verbose and share >= 1:
                print(f"    {share:5.1f} %  {operation(kind, symbol)}: {symbol[:200]}", file=sys.stderr)
    name, _, part = case.partition("/")
    arithmetic = ""
    if name in GIGA_MACS:
        # Training computes each convolution three times: forward, gradient of the input, gradient of the weights.
        passes = 3 if part == "train" else 1
        arithmetic = f"{rate * 2 * GIGA_MACS[name] * passes:.0f}"
    bounds = "; ".join(f"{title} {share:.0f} %" for title, share in shares.most_common(6) if share >= 2)
    return f"| {case} | {rate:.1f} | {arithmetic} | {bounds} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--verbose", action="store_true", help="the symbols behind each share, too")
    parser.add_argument("cases", nargs="*", default=[])
    arguments = parser.parse_args()
    settings = {"THREADS": arguments.threads, "BATCH": BATCH, "SIZE": SIZE, "PHOTOS": arguments.photos}
    settings_of_rayon = {"RAYON_NUM_THREADS": str(arguments.threads)}
    environment = os.environ | settings_of_rayon | {f"BENCH_{name}": str(value) for name, value in settings.items()}
    rows = [f"### {processor()}, {arguments.threads} threads", ""]
    rows += ["| Case | Images/s | GFLOP/s | Share of the samples |", "|---|---:|---:|---|"]
    for case in arguments.cases or CASES:
        rows.append(row(case, arguments.ours, environment, arguments.verbose))
        print(rows[-1], file=sys.stderr)
    if arguments.cases:
        return
    with open(arguments.table) as file:
        text = file.read()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    with open(arguments.table, "w") as file:
        file.write(before + BEGIN + "\n" + "\n".join(rows) + "\n" + END + after)


if __name__ == "__main__":
    main()
