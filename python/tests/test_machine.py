"""The machine's numbers, against sums over all states and against the program's own commands."""

import json
import os
import subprocess
import tempfile
import threading
import time
import unittest
import warnings

import numpy as np
from common import BINARY, free_energy, mattis, needs_binary, of, rows, small, states

from mattis import BernoulliRBM, BoltzmannMachine, MattisValueError, load_run


@needs_binary
class Energies(unittest.TestCase):
    """Everything that a machine says of rows, in BernoulliRBM's convention, from the attributes
    alone. Each kind of machine has other parameters behind them: W or patterns, offset, biases,
    gain."""

    def machines(self):
        x = rows()
        yield x, small().fit(x)
        yield 2 * x - 1, small().fit(2 * x - 1)
        yield x, small(patterns=3).fit(x)
        yield x, small(couplings="axons", patterns=2, settings={"couplings.learn_gain": True}).fit(
            x
        )
        yield x, small(settings={"machine.offset": "none", "machine.biases": "none"}).fit(x)
        yield x, small(settings={"machine.biases": "hidden"}).fit(x)
        yield x, small(settings={"machine.offset": "off", "machine.bias_rate": 4}).fit(x)
        yield x, small(patterns=3, settings={"machine.offset": "off"}).fit(x)
        yield x, small(settings={"machine.offset": "all"}).fit(x)
        m = small()
        for part in np.array_split(x, 10):
            m.partial_fit(part)
        yield x, m

    def test_free_energy_transform_and_scores(self):
        for given, m in self.machines():
            w, c, b = of(m)
            x = (given > 0).astype(float)
            f = free_energy(x, w, c, b)
            # Fields are sums of 12 float32 numbers of at most 10.
            np.testing.assert_allclose(m.free_energy(given), f, atol=2e-5)
            p = 1 / (1 + np.exp(-(x @ w.T + c)))
            want = 2 * p - 1 if given.min() < 0 else p
            got = m.transform(given)
            np.testing.assert_allclose(got, want, atol=1e-6)
            np.testing.assert_array_equal(got, m.transform(given))  # the same each time
            log_z = np.logaddexp.reduce(-free_energy(states(12), w, c, b))
            value, stderr = m.log_partition(return_std=True)
            self.assertAlmostEqual(value, log_z, delta=2e-5)
            self.assertEqual(stderr, 0)
            self.assertAlmostEqual(m.score(given), float(np.mean(-f)) - log_z, delta=4e-5)

    def test_pseudo_likelihood_is_that_of_bernoulli_rbm(self):
        for given, m in self.machines():
            x = (given > 0).astype(float)
            flips = np.random.RandomState(7).randint(0, 12, len(x))
            y = x.copy()
            y[np.arange(len(x)), flips] = 1 - y[np.arange(len(x)), flips]
            w = of(m)
            want = -12 * np.logaddexp(0, free_energy(x, *w) - free_energy(y, *w))
            np.testing.assert_allclose(m.score_samples(given, random_state=7), want, atol=5e-4)

    def test_annealing_agrees_with_the_sum(self):
        m = small(n_components=8).fit(rows())
        exact = m.log_partition(method="exact")
        value, stderr = m.log_partition(method="ais", return_std=True, random_state=1)
        self.assertGreater(stderr, 0)
        self.assertLess(abs(value - exact), 5 * stderr)  # 6e-7 of a right estimate
        with self.assertRaisesRegex(MattisValueError, "method='sum'"):
            m.log_partition(method="sum")
        with self.assertRaisesRegex(MattisValueError, "measure.options.ais.runs"):
            m.log_partition(method="ais", options={"ais.runs": 0})


@needs_binary
class Draws(unittest.TestCase):
    def test_samples_have_the_law_of_the_machine(self):
        m = small(n_components=4, n_iter=20).fit(rows(v=6))
        law = np.exp(-free_energy(states(6), *of(m)))
        law /= law.sum()
        n = 20000
        x = m.sample(n, steps=200, random_state=5)
        counts = np.bincount((x @ (2 ** np.arange(5, -1, -1))).astype(int), minlength=64)
        often = law * n > 5
        seen = np.append(counts[often], counts[~often].sum())
        want = np.append(law[often], law[~often].sum()) * n
        want, seen = want[want > 1], seen[want > 1]
        # Chi-square is above df + 5 sqrt(2 df) + 10 in less than one of 1e5 draws of the right law;
        # sampling from data or coins gives thousands.
        df = len(want) - 1
        self.assertLess(((seen - want) ** 2 / want).sum(), df + 5 * np.sqrt(2 * df) + 10)

    def test_gibbs_is_one_sweep_and_moves_on(self):
        x = rows()
        m = small(n_components=8, n_iter=60, batch_size=5).fit(x)
        one, two = m.gibbs(x), m.gibbs(x)
        self.assertEqual((one.dtype, set(np.unique(one))), (x.dtype, {0.0, 1.0}))
        self.assertTrue((one != two).any())
        self.assertTrue((one != x).any())
        # One sweep from the data stays near them; random states would differ in half of all
        # entries.
        self.assertLess(np.mean(one != x), 0.35)

    def test_masked_entries_are_missing(self):
        x = rows()
        m = small(n_components=8, n_iter=20).fit(np.ma.masked_array(x, False))
        plain = small(n_components=8, n_iter=20).fit(x)
        np.testing.assert_array_equal(m.components_, plain.components_)
        hidden = np.ma.masked_array(x, np.tile(np.arange(12) >= 7, (len(x), 1)))
        for refused in (m.transform, m.score, small().fit, lambda x: small().fit(rows(), test=x)):
            with self.assertRaisesRegex(mattis.MattisValueError, r"array with \d+ masked entries"):
                refused(hidden)
        gone = x.astype(float)
        gone[:, 7:] = np.nan
        np.testing.assert_array_equal(
            m.reconstruct(hidden, random_state=1), m.reconstruct(gone, random_state=1)
        )

    def test_reconstruction_keeps_what_is_known(self):
        x = rows()
        m = small(n_components=8, n_iter=60, batch_size=5).fit(x)
        gone = x.copy()
        gone[:, 7:] = np.nan
        for done in (
            m.reconstruct(gone, random_state=1),
            m.reconstruct(x, known=slice(0, 7), random_state=1),
            m.reconstruct(x, known=np.arange(12) < 7, random_state=1),
            m.reconstruct(x, known=np.arange(7), random_state=1),
            m.reconstruct(x, known=np.tile(np.arange(12) < 7, (len(x), 1)), random_state=1),
        ):
            np.testing.assert_array_equal(done[:, :7], x[:, :7])
            self.assertFalse(np.isnan(done).any())
            # Chance gets half of the rest wrong, the three prototypes with their noise of 10 %
            # about 18 %.
            self.assertLess(np.mean(done[:, 7:] != x[:, 7:]), 0.35)
        with self.assertRaisesRegex(MattisValueError, "known has the shape"):
            m.reconstruct(x, known=np.ones(5, bool))
        with self.assertRaisesRegex(MattisValueError, "none of the 12"):
            m.reconstruct(x, known=[12])

    def test_units_and_types_come_back(self):
        for low in (0, -1):
            for dtype in (np.int8, np.float32, np.float64):
                x = np.where(rows() > 0, 1, low).astype(dtype)
                m = small().fit(x)
                for y in (m.gibbs(x), m.sample(50, steps=3), m.reconstruct(x, known=[0])):
                    self.assertEqual(y.dtype, dtype)
                    self.assertEqual(set(np.unique(y)), {low, 1})
                self.assertEqual(
                    m.transform(x).dtype, np.float32 if dtype == np.float32 else np.float64
                )
                self.assertEqual(
                    m.components_.dtype, np.float32 if dtype == np.float32 else np.float64
                )
        m = small().fit(rows().astype(bool))
        self.assertEqual(m.gibbs(rows().astype(bool)).dtype, bool)
        # The same machine, whatever the units: its attributes and energies are those of 0/1
        # variables.
        a, b = small().fit(rows()), small().fit(2 * rows() - 1)
        np.testing.assert_array_equal(a.components_, b.components_)
        np.testing.assert_array_equal(a.free_energy(rows()), b.free_energy(2 * rows() - 1))
        np.testing.assert_array_equal(
            a.gibbs(2 * rows() - 1), 2 * small().fit(rows()).gibbs(rows()) - 1
        )

    def test_seeds_of_draws(self):
        m = small().fit(rows())  # whose own seed is a number, which is not that of the draws
        few = {"method": "ais", "options": {"ais.runs": 4, "ais.betas": 5}}
        first, again, other = (m.log_partition(random_state=s, **few) for s in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        for seed in (-1, 2**64):
            with self.assertRaisesRegex(MattisValueError, "random_state=.*from 0 to 2"):
                m.sample(random_state=seed)

    def test_nothing_known(self):
        m, x = small().fit(rows()), rows()[:3]
        got = m.reconstruct(x, known=[], random_state=0)
        np.testing.assert_array_equal(got, m.reconstruct(x * np.nan, random_state=0))

    def test_seeds(self):
        x = rows()
        m = small().fit(x)
        np.testing.assert_array_equal(m.sample(9, random_state=3), m.sample(9, random_state=3))
        self.assertTrue((m.sample(9, random_state=3) != m.sample(9, random_state=4)).any())
        self.assertTrue((m.sample(9) != m.sample(9)).any())
        np.testing.assert_array_equal(small().fit(x).sample(9), small().fit(x).sample(9))
        np.testing.assert_array_equal(small(threads=2).fit(x).components_, m.components_)
        self.assertTrue(
            (
                small(random_state=None).fit(x).components_
                != small(random_state=None).fit(x).components_
            ).any()
        )
        np.random.seed(5)
        one = small(random_state=None).fit(x).components_
        np.random.seed(5)
        np.testing.assert_array_equal(one, small(random_state=None).fit(x).components_)


@needs_binary
class Training(unittest.TestCase):
    def test_it_is_that_of_mattis_train(self):
        """The same recipe, seed and rows give the same bits from the command line, and the run
        directory goes on there."""
        x = rows()
        with tempfile.TemporaryDirectory() as folder:
            m = small(run_dir=os.path.join(folder, "a"), image_shape=(3, 4), random_state=3).fit(x)
            np.save(os.path.join(folder, "rows.npy"), (2 * x - 1).astype(np.int8))
            with open(os.path.join(folder, "r.yaml"), "w") as out:
                out.write(m.recipe_)
            command = [
                BINARY,
                "train",
                "r.yaml",
                "--run",
                "b",
                "--set",
                "data={name: npy, path: rows.npy, height: 3, width: 4}",
            ]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            a, b = (load_run(os.path.join(folder, n)) for n in "ab")
            self.assertEqual(a.step, b.step)
            self.assertEqual(a.metadata["data"], b.metadata["data"])
            for name in a.parameters:
                np.testing.assert_array_equal(a.parameters[name], b.parameters[name], name)
            for got, want in zip(a.bernoulli(), of(m)):
                np.testing.assert_allclose(got, want, atol=1e-6)
            scored = subprocess.run(
                [BINARY, "score", m.run_dir_, "--input", "train"],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            )
            f = np.array(scored.stdout.split(), float)
            self.assertLess(
                np.ptp(f - m.free_energy(x)), 1e-4
            )  # up to the constant between the conventions
            on = subprocess.run(
                [BINARY, "resume", m.run_dir_, "--set", "train.epochs=7"],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            )
            self.assertIn("run directory", on.stdout)
            again = BoltzmannMachine.load(m.run_dir_, checkpoint=a.step)
            np.testing.assert_array_equal(again.transform(x), m.transform(x))
            self.assertEqual(again.sample(2).dtype, np.int8)
            m.save(os.path.join(folder, "m.safetensors"))
            subprocess.run(
                [BINARY, "convert", "m.safetensors", "c"],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            np.testing.assert_array_equal(
                BoltzmannMachine.load(os.path.join(folder, "c")).transform(x), m.transform(x)
            )
            with self.assertRaisesRegex(mattis.MattisError, "already exists"):
                small(run_dir=m.run_dir_).fit(x)

    def test_it_learns(self):
        x = rows(2000)
        m = small(n_components=16, batch_size=10, n_iter=10).fit(x)
        p = x.mean(axis=0).clip(1e-3, 1 - 1e-3)
        independent = np.mean((x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1))
        # Three prototypes with noise of 10 %: log 3 + 12 H(0.1) = 5.0 nats, against about 7 of
        # independent variables.
        self.assertGreater(m.score(x), independent + 1)

    def test_recipes(self):
        x = rows()
        bars = small(recipe="bars-pcd", n_iter=3, n_components=6).fit(x)
        self.assertIn("kind: pcd", bars.recipe_)
        self.assertIn("hidden: 6", bars.recipe_)
        self.assertIn("epochs: 3", bars.recipe_)
        text = (
            "machine: {hidden: 7}\ncouplings: {kind: dense}\nnegative: {kind: cd, steps: 2}\n"
            "train: {epochs: 2, batch: 20}\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "my.yaml")
            with open(path, "w") as out:
                out.write(text)
            dict_ = {
                "machine": {"hidden": 7},
                "couplings": {"kind": "dense"},
                "negative": {"kind": "cd", "steps": np.int64(2)},
                "train": {"epochs": 2, "batch": 20},
            }
            made = [BoltzmannMachine(recipe=r, random_state=1).fit(x) for r in (text, path, dict_)]
            with open(path, "w") as out:
                out.write("machine: {hiden: 7}\n")
            with self.assertRaisesRegex(MattisValueError, r"my\.yaml:1.*hiden"):
                BoltzmannMachine(recipe=path).fit(x)
        for m in made:
            self.assertEqual((m.components_.shape, m.n_iter_), ((7, 12), 2))
            np.testing.assert_array_equal(m.components_, made[0].components_)
        with self.assertRaisesRegex(MattisValueError, "neither a file nor built in"):
            BoltzmannMachine(recipe="nosuch").fit(x)
        with self.assertRaisesRegex(MattisValueError, "optimizer.momentum"):
            small(settings={"optimizer.momentum": 2}).fit(x)

    def test_measures(self):
        x = rows()
        m = BoltzmannMachine(
            random_state=0,
            recipe={
                "machine": {"hidden": 5},
                "train": {"epochs": 4, "batch": 20},
                "measure": {"every": 2, "test": ["nll"], "train": ["nll"]},
            },
        )
        m.fit(x[:150], test=x[150:])
        got = {(h["epoch"], h["split"]): h["value"] for h in m.history_}
        self.assertEqual(sorted(got), [(e, s) for e in (0, 2, 4) for s in ("test", "train")])
        self.assertAlmostEqual(got[4, "test"], -m.score(x[150:]), delta=1e-4)
        self.assertAlmostEqual(got[4, "train"], -m.score(x[:150]), delta=1e-4)
        with tempfile.TemporaryDirectory() as folder:
            m.set_params(run_dir=os.path.join(folder, "r")).fit(x[:150], test=x[150:])
            again = BoltzmannMachine.load(m.run_dir_)
            np.testing.assert_array_equal(again.transform(x), m.transform(x))

    def test_wrong_parameters_are_named(self):
        x = rows()
        for params in (
            {"n_components": 0},
            {"n_components": 2.5},
            {"batch_size": 0},
            {"n_iter": -1},
            {"learning_rate": 0},
            {"learning_rate": "fast"},
            {"couplings": "sparse"},
            {"couplings": "dense", "patterns": 3},
            {"patterns": 0},
            {"n_chains": -1},
            {"binarize": "half"},
            {"image_shape": (3, 5)},
            {"image_shape": 3},
            {"threads": -1},
            {"settings": "x=1"},
            {"recipe": 3},
            {"recipe": ["bars"]},
            {"run_dir": 3},
        ):
            with self.assertRaises((ValueError, TypeError), msg=str(params)) as caught:
                small(**params).fit(x)
            self.assertRegex(
                str(caught.exception),
                next(iter(params)).replace("image_shape", "image|3x5"),
                str(params),
            )
        with self.assertRaisesRegex(ValueError, "11 features, but .* 12"):
            small().fit(x).transform(x[:, :11])
        with self.assertRaisesRegex(MattisValueError, 'start "nowhere"'):
            small().fit(x).sample(start="nowhere")
        with self.assertRaisesRegex(MattisValueError, "have no patterns"):
            small().fit(x).sample(start="patterns")
        with self.assertRaisesRegex(MattisValueError, "magic.* is unknown"):
            small().fit(x).sample(sampler="magic")
        for use in (
            lambda m: m.transform(x),
            lambda m: m.score(x),
            lambda m: m.sample(),
            lambda m: m.gibbs(x),
            lambda m: m.components_,
        ):
            with self.assertRaisesRegex(Exception, "not fitted"):
                use(small())

    def test_what_becomes_infinite_is_an_error_and_no_machine(self):
        m = small(learning_rate=1e39, n_iter=3)
        with self.assertRaisesRegex(mattis.MattisError, "NaN or infinite|out of range"):
            m.fit(rows())
        self.assertFalse(hasattr(m, "components_"))
        m.set_params(learning_rate=0.1).fit(rows())  # and the object goes on

    def test_partial_fit_is_one_update(self):
        x = rows()
        m = small(n_chains=8)
        before = m.partial_fit(x[:20]).components_
        m.partial_fit(x[20:40])
        self.assertTrue((m.components_ != before).any())
        # Three updates by fit and one more are the same whatever lies between them: a pickle,
        # another process of the worker.
        import pickle

        a = small(n_iter=2, batch_size=100).fit(x)
        b = pickle.loads(pickle.dumps(a))
        a.partial_fit(x[:50])
        b.partial_fit(x[:50])
        np.testing.assert_array_equal(a.components_, b.components_)
        a.set_params(learning_rate=0.3).partial_fit(
            x[:50]
        )  # a recipe of other settings goes on from there
        self.assertTrue((a.components_ != b.components_).any())
        with self.assertRaisesRegex(MattisValueError, "other layers"):
            a.set_params(n_components=9).partial_fit(x[:50])
        with self.assertRaisesRegex(ValueError, "features"):
            a.partial_fit(x[:, :5])

    def test_best_on_test_rows_that_are_not_there(self):
        settings = {
            "measure.every": 1,
            "measure.test": ["pseudo_likelihood"],
            "train.best": {"measure": "pseudo_likelihood"},
        }
        with self.assertRaisesRegex(MattisValueError, "no test rows: give some"):
            small(settings=settings).fit(rows())
        small(settings=settings).fit(rows(), test=rows(seed=1))

    def test_verbose(self):
        import contextlib
        import io

        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            small(verbose=1, n_iter=3).fit(rows())
        lines = out.getvalue().splitlines()
        self.assertEqual(len(lines), 3)
        for i, line in enumerate(lines, 1):
            self.assertRegex(
                line,
                rf"^\[BoltzmannMachine\] Iteration {i}, pseudo-likelihood = -\d+\.\d\d, time = "
                rf"\d+\.\d\ds$",
            )

    def test_greys(self):
        x = rows()
        with self.assertWarns(mattis.MattisWarning):
            m = small().fit(np.where(x > 0, 200, 30))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the rule is known from here on
            np.testing.assert_array_equal(m.transform(np.where(x > 0, 150, 20)), m.transform(x))
            np.testing.assert_array_equal(
                small(binarize=0.0).fit(x - 0.5).transform(x), m.transform(x)
            )

    def test_warnings_are_of_the_callers_line(self):
        with self.assertWarns(mattis.MattisWarning) as caught:
            small().fit(rows() * 0.9)
        self.assertEqual(caught.filename, __file__)

    def test_alias(self):
        self.assertIs(BernoulliRBM, BoltzmannMachine)

    def test_memory_is_asked_for_beforehand(self):
        with self.assertRaisesRegex(
            mattis.MattisMemoryError, r"machine\.hidden: takes .* are free"
        ):
            small(n_components=2**26).fit(rows(v=4000, n=4))


@needs_binary
class Interrupts(unittest.TestCase):
    def interrupted(self, m, x, after=0.7):
        import _thread

        timer = threading.Timer(after, _thread.interrupt_main)
        timer.start()
        began = time.time()
        try:
            with self.assertRaises(KeyboardInterrupt):
                m.fit(x)
        finally:
            timer.cancel()
        return time.time() - began

    def test_a_usable_object_and_a_checkpoint(self):
        x = rows(20000, 40)
        m = small(n_components=64, n_iter=100000)
        self.assertLess(self.interrupted(m, x), 30)
        self.assertGreater(m.n_iter_, -1)
        f = m.free_energy(x)
        np.testing.assert_allclose(f, free_energy(x, *of(m)), atol=1e-2)
        folder = m.run_dir_
        run = load_run(folder)
        self.assertGreater(run.step, 0)
        self.assertEqual(run.state["state"], "interrupted")
        for got, want in zip(run.bernoulli(), of(m)):
            np.testing.assert_allclose(got, want, atol=1e-4)
        m.partial_fit(x[:10])
        del m
        self.assertFalse(os.path.exists(folder))

    def test_a_run_directory_that_was_asked_for_can_be_resumed(self):
        x = rows(20000, 40)
        with tempfile.TemporaryDirectory() as folder:
            m = small(n_components=64, n_iter=100000, run_dir=os.path.join(folder, "run"))
            self.interrupted(m, x)
            step = load_run(m.run_dir_).step
            epochs = 1 + step // 2000
            subprocess.run(
                [BINARY, "resume", m.run_dir_, "--set", f"train.epochs={epochs}"],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            self.assertEqual(load_run(m.run_dir_).step, 2000 * epochs)
            with open(os.path.join(m.run_dir_, "metrics.jsonl")) as lines:
                [json.loads(line) for line in lines]


if __name__ == "__main__":
    unittest.main()
