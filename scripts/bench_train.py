"""Ours against PyTorch, case by case, alternating in one run; and PyTorch's side of it.

    bench_train.py drive --ours BINARY --json FILE --table FILE --photos DIR [CASE ...]
    bench_train.py serve CASE

Both sides speak one protocol. A side is a process of its own for each case, so that its peak memory is the case's. It is
started as `SIDE CASE` with BENCH_THREADS, BENCH_BATCH, BENCH_SIZE and BENCH_PHOTOS (a folder of photos) in its
environment, prepares itself, warms up, and prints `ready`. Then, for every line on its standard input, it takes one
measurement and prints `IMAGES SECONDS`. At the end of its input it exits. A side that cannot do a case prints
`unavailable REASON` instead of `ready`.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time

NETWORKS = ["resnet34", "resnet50", "resnext50_32x4d", "efficientnet_lite0", "efficientnet_b0"]
CASES = [f"{network}/{part}" for network in NETWORKS for part in ("forward", "train")] + ["loader", "features", "heads"]

# Of one case: so many measurements a side at least and at most, and as many as fit into so many seconds in between.
AT_LEAST, AT_MOST, SECONDS = 5, 25, 20.0
# PyTorch's threads spin for a moment after they are done: the other side waits for that.
PAUSE = 0.2

# What both sides read at most for the cases loader and features, and learn for heads.
PHOTOS = 256
HEADS_PHOTOS, HEADS_WIDTH, HEADS_EPOCHS, HEADS_BATCH, HEADS_CLASSES = 3680, 1280, 30, 32, (37, 4, 5, 4)

BEGIN, END = "<!-- bench-train: written by scripts/bench_train.py -->", "<!-- bench-train: end -->"
COLUMNS = ["Case", "Ours, images/s", "PyTorch, images/s", "Ratio", "Ours, peak MB", "PyTorch, peak MB"]


# --- PyTorch's side ---------------------------------------------------------------------------------------------------


def network(name, classes):
    """The network in channels-last memory."""
    import timm
    import torch
    import torchvision

    torch.manual_seed(0)
    if name.startswith("efficientnet"):
        # Lite0 and B0 of our library are TensorFlow's ("same" padding); timm's twins with symmetric padding do the same
        # arithmetic without padding's extra copies: the faster opponent.
        net = timm.create_model(name, num_classes=classes)
    else:
        net = getattr(torchvision.models, name)(num_classes=classes)
    return net.to(memory_format=torch.channels_last)


def network_case(name, part, batch, size):
    """One forward pass in evaluation mode, or one step of training with SGD and momentum, on a fixed batch."""
    import torch

    net = network(name, 37)
    torch.manual_seed(1)
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % 37
    if part == "forward":
        net.eval()

        def forward():
            with torch.inference_mode():
                net(images)
            return batch

        return forward
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(net(images), labels).backward()
        optimizer.step()
        return batch

    return step


def photo_loader(transform, batch, threads):
    """Batches of the folder's photos, decoded by as many processes as there are threads, which stay alive."""
    import torch
    from torchvision.datasets.folder import default_loader

    folder = os.environ["BENCH_PHOTOS"]
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".jpg", ".jpeg", ".png")))
    paths = [os.path.join(folder, name) for name in names[:PHOTOS]]

    class Photos(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, index):
            return transform(default_loader(paths[index]))

    return torch.utils.data.DataLoader(Photos(), batch_size=batch, num_workers=threads, persistent_workers=True)


def preparation(steps):
    """The steps, then a normalised tensor."""
    import torch
    from torchvision.transforms import v2

    end = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)]
    return v2.Compose(steps + end)


def loader_case(batch, size, threads):
    """A pass over the photos: decode, random resized crop, flip, normalise."""
    from torchvision.transforms import v2

    loader = photo_loader(preparation([v2.RandomResizedCrop(size, scale=(0.35, 1.0)), v2.RandomHorizontalFlip()]), batch, threads)
    return lambda: sum(len(images) for images in loader)


def features_case(batch, size, threads):
    """A pass over the photos: decode, resize, crop the centre, Lite0 up to its pooled features."""
    import torch
    from torchvision.transforms import v2

    net = network("efficientnet_lite0", 0).eval()
    steps = [v2.Resize((size * 256 // 224, size * 256 // 224)), v2.CenterCrop(size)]
    loader = photo_loader(preparation(steps), batch, threads)

    def extract():
        with torch.inference_mode():
            features = [net(images.contiguous(memory_format=torch.channels_last)) for images in loader]
        return sum(len(part) for part in features)

    return extract


def heads_case():
    """Linear heads on features at hand: every epoch of a whole training."""
    import torch

    torch.manual_seed(0)
    features = torch.randn(HEADS_PHOTOS, HEADS_WIDTH)
    targets = [torch.softmax(torch.randn(HEADS_PHOTOS, classes), 1) for classes in HEADS_CLASSES]
    mask = torch.ones(HEADS_PHOTOS)

    def train():
        heads = [torch.nn.Linear(HEADS_WIDTH, classes) for classes in HEADS_CLASSES]
        parameters = [parameter for head in heads for parameter in head.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4)
        for _ in range(HEADS_EPOCHS):
            for rows in torch.randperm(HEADS_PHOTOS).split(HEADS_BATCH):
                optimizer.zero_grad(set_to_none=True)
                batch, weight = features[rows], mask[rows]
                total = 0.0
                for head, target in zip(heads, targets):
                    losses = torch.nn.functional.cross_entropy(head(batch), target[rows], reduction="none")
                    total = total + (losses * weight).sum() / weight.sum()
                total.backward()
                optimizer.step()
        return HEADS_PHOTOS * HEADS_EPOCHS

    return train


def serve(case):
    """PyTorch's side of one case."""
    import torch

    threads, batch, size = (int(os.environ[f"BENCH_{name}"]) for name in ("THREADS", "BATCH", "SIZE"))
    torch.set_num_threads(threads)
    if case == "loader":
        measure = loader_case(batch, size, threads)
    elif case == "features":
        measure = features_case(batch, size, threads)
    elif case == "heads":
        measure = heads_case()
    else:
        measure = network_case(*case.split("/"), batch, size)
    measure()
    if "/" in case:
        measure()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        images = measure()
        print(images, time.perf_counter() - begin, flush=True)


# --- The driver -------------------------------------------------------------------------------------------------------


class Unavailable(Exception):
    """A side cannot do a case."""


class Side:
    """One process that measures one case."""

    def __init__(self, command, case, environment):
        self.rates = []
        self.process = subprocess.Popen(
            command + [case], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
        answer = self.process.stdout.readline().strip()
        if answer != "ready":
            self.process.stdin.close()
            self.process.wait()
            raise Unavailable(answer.removeprefix("unavailable ") or f"{command[0]} stopped before it was ready")

    def measure(self):
        time.sleep(PAUSE)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            raise Unavailable(f"{self.process.args[0]} stopped in the middle")
        self.rates.append(int(answer[0]) / float(answer[1]))

    def finish(self):
        """Images per second (median) and peak memory in MB."""
        peak = peak_memory(self.process.pid)
        self.process.stdin.close()
        self.process.wait()
        return statistics.median(self.rates), peak


def peak_memory(pid):
    """Peak resident memory of a process and its children, in MB: VmHWM; of a child, what it does not share with its parent."""
    total = 0
    for part, own in [(pid, True)] + [(child, False) for child in children(pid)]:
        fields = {}
        with open(f"/proc/{part}/status") as status:
            for line in status:
                name, _, value = line.partition(":")
                fields[name] = value
        kib = lambda name: int(fields[name].split()[0])
        total += kib("VmHWM") if own else kib("RssAnon")
    return round(total / 1024)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def run_case(case, ours, environment):
    """Alternates both sides; the row of the case."""
    sides = []
    try:
        sides.append(Side(ours, case, environment))
        sides.append(Side([sys.executable, os.path.abspath(__file__), "serve"], case, environment))
        begin = time.perf_counter()
        while len(sides[0].rates) < AT_MOST:
            if len(sides[0].rates) >= AT_LEAST and time.perf_counter() - begin > SECONDS:
                break
            # Whoever comes first changes with every round.
            for side in sides if len(sides[0].rates) % 2 == 0 else sides[::-1]:
                side.measure()
        (rate, peak), (other_rate, other_peak) = (side.finish() for side in sides)
    except Unavailable:
        for side in sides:
            side.process.kill()
            side.process.wait()
        raise
    figures = lambda value: float(f"{value:.4g}")
    return {
        "case": case,
        "ours": figures(rate),
        "pytorch": figures(other_rate),
        "ratio": round(rate / other_rate, 2),
        "peak_mb": peak,
        "pytorch_peak_mb": other_peak,
        "measurements": len(sides[0].rates),
    }


def processor():
    """The processor's name and the widest vector instructions that matter here."""
    name, flags = "unknown processor", ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = " ".join(value.split())
            if key.strip() == "flags":
                flags = value.split()
                break
    vectors = next((label for flag, label in [("avx512f", "AVX-512"), ("avx2", "AVX2")] if flag in flags), "")
    return f"{name}, {vectors}" if vectors else name


def markdown(row):
    cells = [row["case"], row["ours"], row["pytorch"], f"{row['ratio']:.2f}", row["peak_mb"], row["pytorch_peak_mb"]]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def update_table(path, heading, rows):
    """Replaces the rows of this processor's table; rows of cases that were not run stay, and so do other processors' tables."""
    text = open(path).read()
    before, _, rest = text.partition(BEGIN)
    body, _, after = rest.partition(END)
    tables = {}
    for line in body.splitlines():
        if line.startswith("### "):
            tables[line[4:]] = {}
        elif line.startswith("| ") and tables and line.split(" | ")[0][2:] in CASES:
            tables[list(tables)[-1]][line.split(" | ")[0][2:]] = line
    table = tables.setdefault(heading, {})
    table.update({row["case"]: markdown(row) for row in rows})
    parts = []
    for name, lines in tables.items():
        head = ["### " + name, "", "| " + " | ".join(COLUMNS) + " |", "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
        parts.append("\n".join(head + [lines[case] for case in CASES if case in lines]))
    with open(path, "w") as file:
        file.write(before + BEGIN + "\n" + "\n\n".join(parts) + "\n" + END + after)


def drive(arguments):
    threads = arguments.threads or len(os.sched_getaffinity(0))
    environment = {
        "BENCH_THREADS": str(threads),
        "BENCH_BATCH": "16",
        "BENCH_SIZE": "224",
        "BENCH_PHOTOS": os.path.abspath(arguments.photos),
        "RAYON_NUM_THREADS": str(threads),
    }
    unknown = [case for case in arguments.cases if case not in CASES]
    if unknown:
        sys.exit(f"error: there is no case {unknown[0]}; cases: {' '.join(CASES)}")
    rows, failed = [], False
    print(f"{'case':<27} {'ours':>9} {'PyTorch':>9} {'ratio':>6} {'peak MB':>8} {'PyTorch':>8}")
    for case in arguments.cases or CASES:
        try:
            row = run_case(case, [arguments.ours], environment)
        except Unavailable as reason:
            print(f"{case:<27} not measured: {reason}", flush=True)
            failed = True
            continue
        print(
            f"{case:<27} {row['ours']:>9.1f} {row['pytorch']:>9.1f} {row['ratio']:>6.2f} "
            f"{row['peak_mb']:>8} {row['pytorch_peak_mb']:>8}",
            flush=True,
        )
        rows.append(row)
        # After every case: a run that is broken off has kept what it measured.
        os.makedirs(os.path.dirname(os.path.abspath(arguments.json)), exist_ok=True)
        with open(arguments.json, "w") as file:
            file.write("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n")
    if rows and arguments.table:
        torch = importlib.metadata.version("torch").partition("+")[0]
        plural = "thread" if threads == 1 else "threads"
        update_table(arguments.table, f"{processor()}, {threads} {plural}, PyTorch {torch}", rows)
    sys.exit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser(description="Ours against PyTorch, alternating.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("drive", help="measure")
    command.add_argument("--ours", required=True, help="the example bench_train, built with optimisation")
    command.add_argument("--json", required=True, help="the file of results to write")
    command.add_argument("--table", help="the Markdown file whose table is brought up to date")
    command.add_argument("--photos", required=True, help="a folder of photos for the cases loader and features")
    command.add_argument("--threads", type=int, help="threads of both sides (default: the cores at hand)")
    command.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {' '.join(CASES)}")
    command = commands.add_parser("serve", help="PyTorch's side of one case")
    command.add_argument("case")
    arguments = parser.parse_args()
    serve(arguments.case) if arguments.command == "serve" else drive(arguments)


if __name__ == "__main__":
    main()
