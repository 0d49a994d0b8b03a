"""Times PyTorch's convolutions of ResNet-34, ResNet-50 and ResNeXt-50, as trainer/examples/bench_conv.rs times ours.

python scripts/bench_conv.py [FILTER] [BATCH] [cpu]: milliseconds (fastest of several) on 2 threads, channels last.
The gradients of input and weights are timed each alone; batch-norm and ReLU, which ours include, are not in these.
"""

import os
import sys
import time

import torch
import torch.nn.functional as F

LAYERS = [
    ("resnet 56", 64, 64, 3, 1, 1, 56),
    ("resnet 28", 128, 128, 3, 1, 1, 28),
    ("resnet 14", 256, 256, 3, 1, 1, 14),
    ("resnet 7", 512, 512, 3, 1, 1, 7),
    ("stem 224", 3, 64, 7, 2, 1, 224),
    ("stride 56", 64, 128, 3, 2, 1, 56),
    ("stride 28", 128, 256, 3, 2, 1, 28),
    ("stride 14", 256, 512, 3, 2, 1, 14),
    ("wide stride 56", 128, 128, 3, 2, 1, 56),
    ("next 56", 128, 128, 3, 1, 32, 56),
    ("next stride 56", 256, 256, 3, 2, 32, 56),
    ("next 28", 256, 256, 3, 1, 32, 28),
    ("next stride 28", 512, 512, 3, 2, 32, 28),
    ("next 14", 512, 512, 3, 1, 32, 14),
    ("next stride 14", 1024, 1024, 3, 2, 32, 14),
    ("next 7", 1024, 1024, 3, 1, 32, 7),
    ("convnext stem", 3, 96, 4, 4, 1, 224),
    ("convnext down", 96, 192, 2, 2, 1, 56),
]


def clock(cpu):
    return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) / torch.get_num_threads() if cpu else time.perf_counter()


def fastest(work, cpu):
    work()
    best = float("inf")
    for _ in range(9):
        start = clock(cpu)
        work()
        best = min(best, clock(cpu) - start)
    return best * 1e3


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    batch = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    cpu = len(sys.argv) > 3 and sys.argv[3] == "cpu"
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    print(f"{'layer':14} {'fwd ms':>8} {'GF/s':>7} {'dx ms':>8} {'GF/s':>7} {'dw ms':>8} {'GF/s':>7}")
    for name, inputs, outputs, side, stride, groups, size in LAYERS:
        if wanted not in name:
            continue
        pad = 0 if side in (2, 4) else side // 2
        x = torch.rand(batch, inputs, size, size).contiguous(memory_format=torch.channels_last) - 0.5
        w = (torch.rand(outputs, inputs // groups, side, side) - 0.5).contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, w, None, stride, pad, 1, groups)
        dy = torch.rand_like(y)
        flops = 2e-6 * y.numel() * inputs // groups * side * side

        def backward(mask):
            torch.ops.aten.convolution_backward(
                dy, x, w, None, [stride] * 2, [pad] * 2, [1] * 2, False, [0] * 2, groups, mask
            )

        with torch.no_grad():
            forward = fastest(lambda: F.conv2d(x, w, None, stride, pad, 1, groups), cpu)
            dx = fastest(lambda: backward([True, False, False]), cpu)
            dw = fastest(lambda: backward([False, True, False]), cpu)
        rates = [f"{ms:8.2f} {flops / ms:7.0f}" for ms in (forward, dx, dw)]
        print(f"{name:14} " + " ".join(rates), flush=True)
    if wanted in "max-pool 112":
        x = torch.rand(batch, 64, 112, 112).contiguous(memory_format=torch.channels_last)
        y, places = F.max_pool2d(x, 3, 2, 1, return_indices=True)
        back = torch.ops.aten.max_pool2d_with_indices_backward
        forward = fastest(lambda: F.max_pool2d(x, 3, 2, 1, return_indices=True), cpu)
        dx = fastest(lambda: back(y, x, [3, 3], [2, 2], [1, 1], [1, 1], False, places), cpu)
        print(f"{'max-pool 112':14} {forward:8.2f} {'':7} {dx:8.2f}")


main()
