"""load_run reads run directories without the program."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from common import mattis, needs_binary, of, rows, small

from mattis import load_run


@needs_binary
class Runs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "run")
        settings = {
            "train.checkpoint.epochs": 1,
            "train.checkpoint.keep": 0,
            "measure.every": 1,
            "measure.train": ["nll"],
            "train.best": {"measure": "nll", "split": "train"},
        }
        cls.machine = small(run_dir=cls.path, settings=settings).fit(rows())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_parameters_and_metrics(self):
        run = load_run(self.path)
        self.assertEqual((run.step, run.steps[-1], len(run.steps)), (100, 100, 6))
        self.assertEqual(run.parameters["weights"].shape, (12, 5))
        for got, want in zip(run.bernoulli(), of(self.machine)):
            np.testing.assert_allclose(got, want, atol=1e-6)
        metrics = run.metrics
        records = metrics.to_dict("records") if hasattr(metrics, "to_dict") else metrics
        self.assertEqual([r["epoch"] for r in records], [0, 1, 2, 3, 4, 5])
        self.assertEqual([r["value"] for r in records], [h["value"] for h in self.machine.history_])
        self.assertEqual(run.state["state"], "ended")
        self.assertIn("hidden: 5", run.recipe)
        self.assertEqual(run.environment["seed"], 0)
        self.assertEqual(load_run(self.path, checkpoint=40).step, 40)
        best = min(records[1:], key=lambda r: r["value"])["step"]
        self.assertEqual(load_run(self.path, checkpoint="best").step, best)

    def test_patterns(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, offset in (("r", "mean"), ("s", "off"), ("t", "all")):
                m = small(
                    patterns=3,
                    run_dir=os.path.join(folder, name),
                    settings={"machine.offset": offset},
                ).fit(rows())
                for got, want in zip(load_run(m.run_dir_).bernoulli(), of(m)):
                    np.testing.assert_allclose(got, want, atol=1e-5)

    def test_neither_the_program_nor_pandas_nor_sklearn_is_needed(self):
        code = (
            "import sys; sys.modules['sklearn'] = sys.modules['pandas'] = None\n"
            "import common, mattis\n"
            f"r = mattis.load_run({self.path!r})\n"
            "print(r.step, type(r.metrics).__name__, len(r.metrics), r.weights.shape)\n"
        )
        env = dict(os.environ, PATH="", MATTIS="/nowhere")
        out = subprocess.run(
            [sys.executable, "-c", code],
            cwd=os.path.dirname(os.path.abspath(__file__)),
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(out.stdout.split(), ["100", "list", "6", "(12,", "5)"])

    def test_damage(self):
        import shutil

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r")
            shutil.copytree(self.path, path)
            newest = os.path.join(path, "checkpoints", "00000100.safetensors")
            with open(newest, "rb") as file:
                whole = file.read()
            for damaged in (
                b"",
                whole[:4],
                whole[:100],
                whole[:-20],
                b"\xff" * 100,
                whole[:8] + b"{]" + whole[10:],
            ):
                with open(newest, "wb") as out:
                    out.write(damaged)
                with self.assertWarnsRegex(mattis.MattisWarning, "passed over.*00000100"):
                    self.assertEqual(load_run(path).step, 80)
                with self.assertRaisesRegex(mattis.MattisError, "00000100"):
                    load_run(path, checkpoint=100)
            with open(os.path.join(path, "metrics.jsonl"), "a") as out:
                out.write(json.dumps({"step": 1})[:5])  # a line that is being written
            self.assertEqual(len(load_run(path, checkpoint=80).metrics), 6)
            with self.assertRaisesRegex(
                mattis.MattisError, r"no checkpoint of step 7; there are the steps \[0, 20"
            ):
                load_run(path, checkpoint=7)
            with self.assertRaisesRegex(mattis.MattisError, "no checkpoint of step newest"):
                load_run(path, checkpoint="newest")
            with self.assertRaisesRegex(mattis.MattisError, "no run directory"):
                load_run(folder)
            shutil.rmtree(os.path.join(path, "checkpoints"))
            self.assertEqual((load_run(path).step, load_run(path).parameters), (None, {}))


if __name__ == "__main__":
    unittest.main()
