#!/usr/bin/env python3
"""Photos a second that torchvision's loader makes ready, as one line of JSON.

    python scripts/bench_loader.py FOLDER [--workers 2] [--batch 32] [--size 224] [--seconds 3]

Pillow decodes; RandomResizedCrop, flip, ToTensor and Normalize in a DataLoader, whose workers stay for all epochs. The
trainer's own loader: cargo run --release -p kenami-trainer --example bench_loader -- FOLDER
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
from PIL import Image
from torchvision import transforms


class Photos(torch.utils.data.Dataset):
    def __init__(self, folder, size):
        self.files = sorted(path for path in Path(folder).iterdir()
                            if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})
        self.transform = transforms.Compose([
            transforms.RandomResizedCrop(size, scale=(0.35, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, number):
        with Image.open(self.files[number]) as photo:
            return self.transform(photo.convert("RGB"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    photos = Photos(options.folder, options.size)
    loader = torch.utils.data.DataLoader(photos, options.batch, num_workers=options.workers, prefetch_factor=3,
                                         persistent_workers=True)
    speeds, begin = [], time.perf_counter()
    while len(speeds) < 2 or time.perf_counter() - begin < options.seconds:
        start = time.perf_counter()
        for _ in loader:
            pass
        speeds.append(len(photos) / (time.perf_counter() - start))
    # The first epoch starts the workers.
    print(json.dumps({"case": "loader", "photos": len(photos), "first_epoch": round(speeds[0], 1),
                      "photos_per_second": round(max(speeds[1:]), 1)}))


if __name__ == "__main__":
    main()
