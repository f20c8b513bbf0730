#!/usr/bin/env python3
"""Tests of kernels-gpu.py that need neither a GPU nor PyTorch.

    benchmarks/kernels_gpu_test.py [LIBRARY]

LIBRARY is emulated/libkofn_cuda.so, our kernels compiled for the host: with it, the calls of the script are tested too.
"""

import contextlib
import ctypes
import importlib.util
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "kernels-gpu.py"
LIBRARY = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1].endswith(".so") else None

spec = importlib.util.spec_from_file_location("kernels_gpu", SCRIPT)
kernels = importlib.util.module_from_spec(spec)
sys.modules["kernels_gpu"] = kernels
spec.loader.exec_module(kernels)


def floats(values):
    return (ctypes.c_float * len(values))(*values)


class Cases(unittest.TestCase):
    def test_layers_have_names_and_outputs_of_their_own(self):
        self.assertEqual(len(kernels.LAYERS), len({layer.name for layer in kernels.LAYERS}))
        sizes = {layer.name: layer.out_size for layer in kernels.LAYERS}
        self.assertEqual((56, 28, 7, 1), (sizes["resnet18 l1"], sizes["resnet18 l2 down"], sizes["resnet18 l4 down"],
                                          sizes["vgg16 fc6"]))

    def test_every_layer_has_its_baselines_and_all_masks_that_fit(self):
        for layer in kernels.LAYERS:
            all_ = list(kernels.contenders_of(layer))
            self.assertEqual(len(all_), len(set(all_)))
            dense = [c for c in all_ if c.by == "dense"]
            self.assertEqual({kernels.FP32, kernels.TF32, kernels.BF16}, {c.precision for c in dense})
            self.assertEqual(3 if layer.linear else 6, len(dense))
            self.assertEqual(layer.taps == 1, any(c.by == "cusparselt" for c in all_))
            ours = [c for c in all_ if c.by == "kofn" and c.mask != "2:4"]
            shares = [share for share in kernels.SHARES if layer.outputs % share == 0]
            self.assertEqual(2 * len(shares) * len(kernels.DENOMINATORS), len(ours))
            self.assertTrue(all((c.precision == kernels.FP32) == (c.share == 1) or c.precision == kernels.BF16
                                for c in ours))

    def test_operations_count_kept_weights(self):
        layer = kernels.Layer("", 64, 128, 56, 3, 2)
        self.assertEqual(2 * 3 * 128 * 16 * 9 * 28 * 28, layer.operations(3, 16))


class Measuring(unittest.TestCase):
    def test_contenders_take_turns_and_warm_up(self):
        order = []

        def clock(call):
            order.append(call)
            return float(len(order))

        times = kernels.measure({"a": 1, "b": 2}, 4, clock)
        self.assertEqual([1, 2] * (4 + kernels.WARM_UP), order)
        self.assertEqual([7.0, 9.0, 11.0, 13.0], times["a"])
        self.assertEqual([8.0, 10.0, 12.0, 14.0], times["b"])

    def test_ratios_are_to_the_fastest_dense_of_the_same_precision(self):
        rows = rows_of_one_layer()
        ratios = {(row["by"], row["mask"], row["precision"]): row["ratio"] for row in rows if row["by"] != "dense"}
        self.assertEqual({("kofn", "share 1", "fp32"): 4.0, ("kofn", "share 16", "bf16"): 2.0}, ratios)
        self.assertEqual({5}, {row["n"] for row in rows})

    def test_the_table_and_the_file(self):
        rows = rows_of_one_layer()
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "run.of.today"
            kernels.write(out, {"gpu": "none", "date": "2026-01-02"}, rows)
            written = json.loads(pathlib.Path(f"{out}.json").read_text())
            table = pathlib.Path(f"{out}.md").read_text()
        self.assertEqual(rows, written["rows"])
        self.assertEqual("none", written["machine"]["gpu"])
        self.assertIn("- date: 2026-01-02\n", table)
        self.assertIn("## Batch 2, L2 warm, n = 5\n", table)
        self.assertIn("### dense\n\n| layer | fp32 µs | bf16 µs |\n|---|---:|---:|\n| one | 8 | 6 |\n", table)
        self.assertIn("### share 1\n\n| layer | kofn 1/4 fp32 |\n|---|---:|\n| one | 4 |\n", table)
        self.assertIn("### share 16\n\n| layer | kofn 1/2 bf16 |\n|---|---:|\n| one | 2 |\n", table)

    def test_a_ratio_needs_a_dense_time(self):
        layer = kernels.Layer("one", 32, 32, 8, 3)
        rows = list(kernels.rows_of(layer, 2, "warm", {kernels.Contender("kofn", kernels.FP32, "share 1", 4, 1): [2.0]},
                                    {}, {}))
        self.assertIsNone(rows[0]["ratio"])
        self.assertIn("| one |  |\n", kernels.markdown({}, rows))


def rows_of_one_layer():
    c = kernels.Contender
    layer = kernels.Layer("one", 32, 32, 8, 3)
    medians = {c("dense", kernels.FP32): 10.0, c("dense", kernels.FP32, channels_last=True): 8.0,
               c("dense", kernels.BF16): 6.0, c("kofn", kernels.FP32, "share 1", 4, 1): 2.0,
               c("kofn", kernels.BF16, "share 16", 2, 16): 3.0}
    times = {contender: [us - 1, us, us, us + 1, us] for contender, us in medians.items()}
    return list(kernels.rows_of(layer, 2, "warm", times, {}, {}))


class CommandLine(unittest.TestCase):
    def test_list(self):
        result = subprocess.run([sys.executable, SCRIPT, "--list", "--layers", "fc7"], capture_output=True, text=True)
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        self.assertIn("vgg16 fc7: kofn share 1 1/16 fp32\n", result.stdout)
        self.assertNotIn("channels last", result.stdout)

    def test_mistakes_are_told_in_a_line(self):
        for arguments in (["--layers", "nothing like it"], ["--batch", "0"], ["--repeats", "0"],
                          ["--out", "no/such/folder/file"]):
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors), self.assertRaises(SystemExit) as end:
                kernels.main(arguments)
            self.assertEqual(2, end.exception.code)
            self.assertIn(": error: ", errors.getvalue().splitlines()[-1])


@unittest.skipIf(LIBRARY is None, "no library was named")
class Library(unittest.TestCase):
    """The calls, on whole numbers, whose sums are exact in every precision."""

    def setUp(self):
        self.kofn = kernels.Kofn(LIBRARY)
        self.random = random.Random(1)

    def whole(self, count):
        return [float(self.random.randint(-4, 4)) for _ in range(count)]

    def test_convolutions(self):
        for share, precision, method in ((1, kernels.FP32, "direct"), (16, kernels.TF32, "gathered")):
            for taps, stride in ((3, 1), (3, 2), (1, 1)):
                layer, batch, kept = kernels.Layer("", 6, 16, 5, taps, stride), 2, 3
                lists = [sorted(self.random.sample(range(6), kept)) for _ in range(16 // share)]
                weights = self.whole(16 * kept * taps * taps)
                x, size = self.whole(batch * 6 * 5 * 5), layer.out_size
                indices = (ctypes.c_int32 * (len(lists) * kept))(*sum(lists, []))
                packed = floats(weights)
                plan = self.kofn.convolution(layer, batch, precision, share, kept, ctypes.addressof(indices),
                                             ctypes.addressof(packed))
                self.assertTrue(plan.description.startswith(method), plan.description)
                source, y = floats(x), floats([0.0] * (batch * 16 * size * size))
                plan.run(ctypes.addressof(source), ctypes.addressof(y))
                plan.close()
                self.assertEqual(convolved(layer, batch, share, lists, weights, x), list(y))

    def test_two_four(self):
        layer, batch = kernels.Layer("", 8, 3, 2, 1), 2
        dense, x = self.whole(3 * 8), floats(self.whole(batch * 8 * 4))
        mask = [int(i in pair) for _ in range(3 * 2) for pair in [self.random.sample(range(4), 2)] for i in range(4)]
        packed, bits = floats(dense), (ctypes.c_uint8 * len(mask))(*mask)
        plan = self.kofn.two_four(layer, batch, kernels.TF32, ctypes.addressof(packed), ctypes.addressof(bits))
        self.assertTrue(plan.description.startswith("2:4"), plan.description)
        y = floats([0.0] * (batch * 3 * 4))
        plan.run(ctypes.addressof(x), ctypes.addressof(y))
        plan.close()
        want = [sum(dense[o * 8 + c] * mask[o * 8 + c] * x[(i * 8 + c) * 4 + p] for c in range(8))
                for i in range(batch) for o in range(3) for p in range(4)]
        self.assertEqual(want, list(y))

    def test_refusals_become_errors(self):
        layer, packed = kernels.Layer("", 4, 4, 5, 3), floats([0.0] * 144)
        indices = (ctypes.c_int32 * 4)(0, 0, 0, 9)
        with self.assertRaisesRegex(RuntimeError, "status 4"):
            self.kofn.convolution(layer, 1, kernels.FP32, 1, 1, ctypes.addressof(indices), ctypes.addressof(packed))


def convolved(layer, batch, share, lists, weights, x):
    """The definition of sparse_conv.h. weights: [list][kept][share][R][S]."""
    n, height, taps, size, kept = layer.inputs, layer.size, layer.taps, layer.out_size, len(lists[0])
    y = []
    for image in range(batch):
        for o in range(layer.outputs):
            for h in range(size):
                for w in range(size):
                    total = 0.0
                    for i, channel in enumerate(lists[o // share]):
                        for r in range(taps):
                            for s in range(taps):
                                row = h * layer.stride - taps // 2 + r
                                column = w * layer.stride - taps // 2 + s
                                if 0 <= row < height and 0 <= column < height:
                                    entry = ((o // share * kept + i) * share + o % share) * taps * taps + r * taps + s
                                    total += weights[entry] * x[((image * n + channel) * height + row) * height + column]
                    y.append(total)
    return y


if __name__ == "__main__":
    unittest.main()
