#!/usr/bin/env python3
"""Our convolutions on a GPU beside cuDNN's, cuBLAS's and cuSPARSELt's, layer by layer.

    cmake -S cuda -B target/cuda && cmake --build target/cuda --target kofn_cuda
    benchmarks/kernels-gpu.py --batch 1 32 --out benchmarks/results/kernels-gpu-DATE
    benchmarks/kernels-gpu.py --list

For each layer and batch, all contenders are timed in turn, again and again, on the same random data:

    dense       PyTorch's conv2d (cuDNN) or linear (cuBLAS) in fp32, TF32 and bf16, images contiguous and with the channels
                innermost; the faster of both counts
    cusparselt  torch.sparse.to_sparse_semi_structured, 2:4, bf16: linear layers, and 1x1 convolutions as such
    kofn        libkofn_cuda.so: a list for each output or shared by 16 to 128, densities 1/2 to 1/16, and 2:4

Each is checked first, against a convolution in double precision. Times are of the convolution alone, without bias and
activation (which ours would fuse), by CUDA events, with the L2 cache warm and flushed: medians of n. It writes OUT.json and
OUT.md, which name hardware, versions, date and commit.

The repository holds no figure of this script yet, unless benchmarks/results has one. It needs PyTorch with CUDA; --list
needs Python alone.
"""

import argparse
import ctypes
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass

HOME = pathlib.Path(__file__).resolve().parent.parent
FP32, TF32, BF16 = 0, 1, 2  # enum kofn_precision
PRECISIONS = {FP32: "fp32", TF32: "tf32", BF16: "bf16"}
TOLERANCE = {FP32: 1e-4, TF32: 4e-3, BF16: 1e-2}  # of the largest output
WARM_UP = 3


# ---- What is timed.

@dataclass(frozen=True)
class Layer:
    name: str
    inputs: int
    outputs: int
    size: int  # height and width of the input
    taps: int
    stride: int = 1
    linear: bool = False

    @property
    def out_size(self):
        return (self.size + 2 * (self.taps // 2) - self.taps) // self.stride + 1

    def operations(self, batch, kept):
        return 2 * batch * self.outputs * kept * self.taps ** 2 * self.out_size ** 2


LAYERS = [
    Layer("vgg16 conv2_2", 128, 128, 112, 3),
    Layer("vgg16 conv3_2", 256, 256, 56, 3),
    Layer("vgg16 conv4_2", 512, 512, 28, 3),
    Layer("vgg16 conv5_2", 512, 512, 14, 3),
    Layer("vgg16 fc6", 25088, 4096, 1, 1, linear=True),
    Layer("vgg16 fc7", 4096, 4096, 1, 1, linear=True),
    Layer("resnet18 l1", 64, 64, 56, 3),
    Layer("resnet18 l2", 128, 128, 28, 3),
    Layer("resnet18 l3", 256, 256, 14, 3),
    Layer("resnet18 l4", 512, 512, 7, 3),
    Layer("resnet18 l2 down", 64, 128, 56, 3, 2),
    Layer("resnet18 l4 down", 256, 512, 14, 3, 2),
    Layer("resnet50 64-256", 64, 256, 56, 1),
    Layer("resnet50 256-64", 256, 64, 56, 1),
    Layer("resnet50 512-128", 512, 128, 28, 1),
    Layer("resnet50 1024-256", 1024, 256, 14, 1),
    Layer("resnet50 512-2048", 512, 2048, 7, 1),
]
DENOMINATORS = [2, 4, 8, 16]
SHARES = [1, 16, 32, 64, 128]


@dataclass(frozen=True)
class Contender:
    """One thing to time. `mask` is "dense", "2:4", or "share b" with b outputs to a list."""

    by: str  # dense, cusparselt or kofn
    precision: int
    mask: str = "dense"
    denominator: int = 1
    share: int = 0
    channels_last: bool = False


def contenders_of(layer, denominators=DENOMINATORS, shares=SHARES):
    """All that can compute a layer. Tensor cores need lists that 16 outputs share, so others are not timed in TF32."""
    yield from (Contender("dense", precision, channels_last=last)
                for precision in PRECISIONS for last in ([False] if layer.linear else [False, True]))
    if layer.taps == 1 and layer.stride == 1:
        yield Contender("cusparselt", BF16, "2:4", 2)
        yield from (Contender("kofn", precision, "2:4", 2) for precision in (TF32, BF16))
    for denominator in denominators:
        for share in shares:
            if layer.outputs % share == 0 and layer.inputs % denominator == 0:
                for precision in (TF32 if share % 16 == 0 else FP32, BF16):
                    yield Contender("kofn", precision, f"share {share}", denominator, share)


# ---- How it is timed.

def measure(calls, repeats, time_once):
    """The times of each call in microseconds, taken in turn; the first rounds warm up and do not count."""
    times = {name: [] for name in calls}
    for repeat in range(-WARM_UP, repeats):
        for name, call in calls.items():
            us = time_once(call)
            if repeat >= 0:
                times[name].append(us)
    return times


def rows_of(layer, batch, cache, times, plans, differences):
    """A row for each contender; `ratio` is the fastest dense time of the same precision over its own."""
    medians = {contender: statistics.median(of) for contender, of in times.items()}
    for contender, us in medians.items():
        dense = [medians[other] for other in medians if other.by == "dense" and other.precision == contender.precision]
        yield {
            "layer": layer.name, "batch": batch, "l2": cache, **asdict(contender),
            "precision": PRECISIONS[contender.precision],
            "plan": plans.get(contender, ""),
            "us": us, "p20": quantile(times[contender], 0.2), "p80": quantile(times[contender], 0.8),
            "n": len(times[contender]),
            "ratio": min(dense) / us if dense else None,
            "tflops_useful": layer.operations(batch, layer.inputs // contender.denominator) / us * 1e-6,
            "difference": differences.get(contender),
        }


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


# ---- Our library.

class Conv(ctypes.Structure):
    """kofn_conv of cuda/sparse_conv/sparse_conv.h."""

    _fields_ = [(name, ctypes.c_int32) for name in (
        "inputs", "outputs", "height", "width", "rows", "columns", "stride_rows", "stride_columns", "padding_rows",
        "padding_columns", "share", "kept", "activation")] + [
        (name, ctypes.c_void_p) for name in ("indices", "weights", "bias")]


class TwoFour(ctypes.Structure):
    """kofn_two_four of cuda/two_four/two_four.h."""

    _fields_ = [(name, ctypes.c_int32) for name in ("inputs", "outputs", "batch", "pixels", "activation")] + [
        (name, ctypes.c_void_p) for name in ("values", "places", "bias")]


class Plan:
    """A plan of the library; run takes addresses and a stream, all as numbers."""

    def __init__(self, library, kind, open_plan):
        self.handle = ctypes.c_void_p()
        status = open_plan(ctypes.byref(self.handle))
        if status != 0:
            raise RuntimeError(f"the library refused a plan: status {status}")
        self.library, self.kind = library, kind
        describe = getattr(library, f"kofn_cuda_{kind}_describe")
        describe.restype = ctypes.c_char_p
        self.description = describe(self.handle).decode()

    def run(self, x, y, stream=0):
        function = getattr(self.library, f"kofn_cuda_{self.kind}_run")
        between = [ctypes.c_void_p()] if self.kind == "conv" else []  # a convolution's workspace, which none needs
        status = function(self.handle, ctypes.c_void_p(x), ctypes.c_void_p(y), ctypes.c_void_p(), *between,
                          ctypes.c_void_p(stream))
        if status != 0:
            raise RuntimeError(f"the library refused to run {self.description}: status {status}")

    def close(self):
        getattr(self.library, f"kofn_cuda_{self.kind}_close")(self.handle)


class Kofn:
    """libkofn_cuda.so; arrays are addresses in the host's memory."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))

    def convolution(self, layer, batch, precision, share, kept, indices, weights):
        padding = layer.taps // 2
        conv = Conv(layer.inputs, layer.outputs, layer.size, layer.size, layer.taps, layer.taps, layer.stride,
                    layer.stride, padding, padding, share, kept, 0, indices, weights, None)
        plan = Plan(self.library, "conv", lambda handle: self.library.kofn_cuda_conv_open(
            ctypes.byref(conv), batch, precision, handle))
        self.library.kofn_cuda_conv_workspace.restype = ctypes.c_int64
        if self.library.kofn_cuda_conv_workspace(plan.handle) != 0:
            raise RuntimeError(f"{plan.description} needs a workspace, for which this script has no memory")
        return plan

    def two_four(self, layer, batch, precision, dense, mask):
        outputs, inputs = layer.outputs, layer.inputs
        values = (ctypes.c_float * (outputs * inputs // 2))()
        places = (ctypes.c_uint8 * (outputs * ((inputs + 7) // 8)))()
        status = self.library.kofn_two_four_pack(outputs, inputs, ctypes.c_void_p(dense), ctypes.c_void_p(mask),
                                                 values, places)
        if status != 0:
            raise RuntimeError(f"the library refused a mask: status {status}")
        two_four = TwoFour(inputs, outputs, batch, layer.out_size ** 2, 0, ctypes.addressof(values),
                           ctypes.addressof(places), None)
        return Plan(self.library, "two_four", lambda handle: self.library.kofn_cuda_two_four_open(
            ctypes.byref(two_four), precision, handle))


# ---- PyTorch: data, baselines, the clock.

class Bench:
    """One layer at one batch: its data, a call for each contender, and what they have to give."""

    def __init__(self, torch, kofn, layer, batch):
        self.torch, self.kofn, self.layer, self.batch = torch, kofn, layer, batch
        random = torch.Generator().manual_seed(1)
        self.random = random
        self.x = torch.randn(batch, layer.inputs, layer.size, layer.size, generator=random).cuda()
        self.weights = torch.randn(layer.outputs, layer.inputs, layer.taps, layer.taps, generator=random)
        self.weights /= (layer.inputs * layer.taps ** 2) ** 0.5
        self.plans, self.differences = {}, {}

    def call(self, contender):
        """A function that computes the layer once, checked."""
        make = {"dense": self.dense, "cusparselt": self.cusparselt, "kofn": self.ours}[contender.by]
        call, result, weights = make(contender)
        call()
        self.check(contender, result(), weights)
        return call

    def dense(self, c):
        torch, layer = self.torch, self.layer
        dtype = torch.bfloat16 if c.precision == BF16 else torch.float32
        memory = torch.channels_last if c.channels_last else torch.contiguous_format
        x, w = self.x.to(dtype), self.weights.cuda().to(dtype)
        if layer.linear:
            x, w = x.flatten(1), w.flatten(1)
            compute = torch.nn.functional.linear
            arguments = {}
        else:
            x, w = x.contiguous(memory_format=memory), w.contiguous(memory_format=memory)
            compute = torch.nn.functional.conv2d
            arguments = {"stride": layer.stride, "padding": layer.taps // 2}
        y = [None]

        def call():
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = c.precision == TF32
            y[0] = compute(x, w, **arguments)

        return call, lambda: y[0], self.weights

    def two_four_mask(self):
        torch = self.torch
        scores = torch.rand(self.layer.outputs, self.layer.inputs // 4, 4, generator=self.random)
        return torch.zeros_like(scores).scatter_(2, scores.topk(2).indices, 1).flatten(1)

    def cusparselt(self, c):
        torch, layer = self.torch, self.layer
        mask = self.two_four_mask()
        weights = self.weights * mask[:, :, None, None]
        w = torch.sparse.to_sparse_semi_structured(weights.flatten(1).cuda().bfloat16())
        x = self.x.bfloat16().permute(0, 2, 3, 1).reshape(-1, layer.inputs)  # a 1x1 convolution is a linear layer
        y = [None]

        def call():
            y[0] = torch.nn.functional.linear(x, w)

        def result():
            return y[0].reshape(self.batch, layer.size, layer.size, layer.outputs).permute(0, 3, 1, 2)

        return call, result, weights

    def ours(self, c):
        torch, layer = self.torch, self.layer
        dtype = torch.bfloat16 if c.precision == BF16 else torch.float32
        x = self.x.to(dtype).contiguous()
        y = torch.empty(self.batch, layer.outputs, layer.out_size, layer.out_size, dtype=dtype, device="cuda")
        if c.mask == "2:4":
            mask = self.two_four_mask()
            dense, bytes_of_mask = self.weights.flatten(1).contiguous(), mask.to(torch.uint8).contiguous()
            plan = self.kofn.two_four(layer, self.batch, c.precision, dense.data_ptr(), bytes_of_mask.data_ptr())
            kept = self.weights * mask[:, :, None, None]
        else:
            lists, k = layer.outputs // c.share, layer.inputs // c.denominator
            scores = torch.rand(lists, layer.inputs, generator=self.random)
            indices = scores.topk(k).indices.sort().values
            by_list = self.weights.reshape(lists, c.share, layer.inputs, layer.taps, layer.taps).transpose(1, 2)
            compact = by_list[torch.arange(lists)[:, None], indices].contiguous()  # [lists][k][share][R][S]
            mask = torch.zeros_like(scores).scatter_(1, indices, 1).repeat_interleave(c.share, 0)
            kept = self.weights * mask[:, :, None, None]
            narrow = indices.to(torch.int32).contiguous()
            plan = self.kofn.convolution(layer, self.batch, c.precision, c.share, k, narrow.data_ptr(),
                                         compact.data_ptr())
        self.plans[c] = plan.description
        self.opened.append(plan)

        def call():
            plan.run(x.data_ptr(), y.data_ptr(), torch.cuda.current_stream().cuda_stream)

        return call, lambda: y, kept

    def check(self, contender, y, weights):
        """Two images beside the same in double precision."""
        torch, layer = self.torch, self.layer
        dtype = torch.bfloat16 if contender.precision == BF16 else torch.float32
        x, w = self.x[:2].to(dtype).double(), weights.cuda().to(dtype).double()
        want = torch.nn.functional.conv2d(x, w, stride=layer.stride, padding=layer.taps // 2)
        difference = (y[:2].double().reshape(want.shape) - want).abs().max() / want.abs().max()
        self.differences[contender] = difference.item()
        if not difference <= TOLERANCE[contender.precision]:
            raise RuntimeError(f"{layer.name}, {contender}: differs by {difference:.2e} of the largest output")

    def __enter__(self):
        self.opened = []
        return self

    def __exit__(self, *_):
        self.torch.cuda.synchronize()
        for plan in self.opened:
            plan.close()


class Clock:
    """Microseconds of a call by CUDA events. The stream is held while the call is put into its queue."""

    def __init__(self, torch, warm):
        self.torch, self.warm = torch, warm
        self.start, self.stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
        self.other = torch.empty(4 * max(l2_bytes, 16 << 20), dtype=torch.uint8, device="cuda")

    def __call__(self, call):
        call() if self.warm else self.other.zero_()
        self.torch.cuda._sleep(1_000_000)
        self.start.record()
        call()
        self.stop.record()
        self.torch.cuda.synchronize()
        return self.start.elapsed_time(self.stop) * 1e3


# ---- What is written.

def machine(torch):
    def output(*command):
        try:
            return subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"

    properties = torch.cuda.get_device_properties(0)
    sparselt = getattr(torch.backends, "cusparselt", None)
    return {
        "date": datetime.date.today().isoformat(),
        "commit": output("git", "describe", "--always", "--dirty"),
        "gpu": properties.name, "multiprocessors": properties.multi_processor_count,
        "l2_bytes": properties.L2_cache_size, "memory_bytes": properties.total_memory,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "driver": output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "clocks": output("nvidia-smi", "--query-gpu=clocks.max.sm,clocks.max.mem,power.limit", "--format=csv,noheader"),
        "python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "cusparselt": sparselt.version() if sparselt is not None and sparselt.is_available() else None,
    }


def markdown(machine_, rows):
    """For each batch and cache a table of dense times, and one of ratios for each mask."""
    lines = ["# Layers on a GPU", "", *(f"- {key}: {value}" for key, value in machine_.items()), "",
             "Dense: microseconds, the faster of both layouts. Masks: dense time of the same precision over the time with "
             "the mask; above 1 the mask is faster. Medians; quantiles and all else are in the JSON file."]
    for batch, cache in sorted({(row["batch"], row["l2"]) for row in rows}):
        of_both = [row for row in rows if (row["batch"], row["l2"]) == (batch, cache)]
        n = ", ".join(str(n) for n in sorted({row["n"] for row in of_both}))
        lines += ["", f"## Batch {batch}, L2 {cache}, n = {n}"]
        for mask in dict.fromkeys(row["mask"] for row in of_both):
            lines += ["", f"### {mask}", "", *table([row for row in of_both if row["mask"] == mask])]
    return "\n".join(lines) + "\n"


def table(rows):
    """A line for each layer, a column for each library, density and precision."""
    cells = {}
    for row in rows:
        dense = row["by"] == "dense"
        column = f"{row['precision']} µs" if dense else f"{row['by']} 1/{row['denominator']} {row['precision']}"
        key = row["layer"], column
        value = row["us"] if dense else row["ratio"]
        cells[key] = min(value, cells.get(key, value)) if dense else value
    layers, columns = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    yield "| layer | " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for layer in layers:
        values = (cells.get((layer, column)) for column in columns)
        yield f"| {layer} | " + " | ".join("" if value is None else f"{value:.4g}" for value in values) + " |"


def run(torch, options, layers):
    torch.backends.cudnn.benchmark = True
    kofn = Kofn(options.library)
    rows = []
    for layer in layers:
        for batch in options.batch:
            with Bench(torch, kofn, layer, batch) as bench:
                calls = {}
                for contender in contenders_of(layer, options.denominators, options.shares):
                    try:
                        calls[contender] = bench.call(contender)
                    except (AttributeError, RuntimeError, NotImplementedError) as error:
                        if contender.by == "kofn":
                            raise
                        print(f"{layer.name}, batch {batch}, {contender.by}: {error}", file=sys.stderr)
                for cache in ("warm", "flushed"):
                    times = measure(calls, options.repeats, Clock(torch, cache == "warm"))
                    rows += rows_of(layer, batch, cache, times, bench.plans, bench.differences)
            print(f"{layer.name}, batch {batch}: {len(calls)} contenders", file=sys.stderr)
            write(options.out, machine(torch), rows)


def write(out, machine_, rows):
    """All so far, so that a run that is cut short has not been for nothing."""
    pathlib.Path(f"{out}.json").write_text(json.dumps({"machine": machine_, "rows": rows}, indent=1) + "\n")
    pathlib.Path(f"{out}.md").write_text(markdown(machine_, rows))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="what would be timed, without timing it")
    parser.add_argument("--library", default=HOME / "target/cuda/libkofn_cuda.so", help="default %(default)s")
    parser.add_argument("--layers", default="", help="only layers with this in their name")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--denominators", type=int, nargs="+", default=DENOMINATORS, help="of densities 1/d")
    parser.add_argument("--shares", type=int, nargs="+", default=SHARES, help="outputs to a list")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", default="kernels-gpu", help="writes OUT.json and OUT.md")
    options = parser.parse_args(arguments)
    layers = [layer for layer in LAYERS if options.layers in layer.name]
    if not layers:
        parser.error(f"no layer has {options.layers} in its name; --list names them")
    if min(options.batch + options.denominators + options.shares + [options.repeats]) < 1:
        parser.error("batches, denominators, shares and repeats are at least 1")
    if not pathlib.Path(options.out).parent.is_dir():
        parser.error(f"there is no folder for {options.out}")
    if options.list:
        for layer in layers:
            for c in contenders_of(layer, options.denominators, options.shares):
                density = "" if c.by == "dense" else f" 1/{c.denominator}"
                print(f"{layer.name}: {c.by} {c.mask}{density} {PRECISIONS[c.precision]}"
                      + (" channels last" if c.channels_last else ""))
        return
    try:
        import torch
    except ImportError:
        parser.error("this needs PyTorch with CUDA (https://pytorch.org); --list does not")
    if not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU here")
    if not pathlib.Path(options.library).is_file():
        parser.error(f"there is no {options.library}: build it with cmake --build target/cuda --target kofn_cuda")
    run(torch, options, layers)


if __name__ == "__main__":
    main()
