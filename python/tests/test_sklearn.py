"""scikit-learn's own checks of estimators, and the ways in which it uses them."""

import pickle
import unittest
import warnings

import numpy as np
from common import mattis, needs_binary, of, rows, small

from mattis import BoltzmannMachine

try:
    import sklearn  # noqa: F401
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.neural_network import BernoulliRBM
    from sklearn.pipeline import make_pipeline
    from sklearn.utils.estimator_checks import check_estimator

    HAVE = True
except ImportError:
    HAVE = False


@needs_binary
@unittest.skipUnless(HAVE, "no scikit-learn")
class Sklearn(unittest.TestCase):
    def test_its_checks_of_estimators(self):
        """The data of these checks are continuous, so that they are cut at 0. The two that do not
        apply are those that BernoulliRBM is excused from, for the same reason."""
        skipped, passed = [], []
        machine = BoltzmannMachine(
            n_components=5, n_iter=3, binarize=0.0, random_state=0, threads=1
        )
        for estimator, check in check_estimator(machine, generate_only=True):
            name = check.func.__name__
            with self.subTest(name), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    check(estimator)
                    passed.append(name)
                except unittest.SkipTest:
                    skipped.append(name)
        self.assertGreater(len(set(passed)), 25)
        self.assertEqual(
            sorted(skipped),
            ["check_methods_sample_order_invariance", "check_methods_subset_invariance"],
        )

    def test_bernoulli_rbm_says_the_same_with_the_same_parameters(self):
        for dtype, atol in ((np.float64, 1e-6), (np.float32, 1e-5)):
            x = rows().astype(dtype)
            m = small().fit(x)
            other = BernoulliRBM(random_state=3)
            other.components_, other.intercept_hidden_, other.intercept_visible_ = of(m)
            other.n_features_in_ = 12
            np.testing.assert_allclose(other.transform(x), m.transform(x), atol=1e-6)
            np.testing.assert_allclose(other._free_energy(x), m.free_energy(x), atol=1e-5)
            np.testing.assert_allclose(
                other.score_samples(x), m.score_samples(x, random_state=3), atol=1e-3
            )
            self.assertEqual(m.transform(x).dtype, dtype)
            there, back = m.to_sklearn(), BoltzmannMachine.from_sklearn(m.to_sklearn(), threads=1)
            np.testing.assert_allclose(there.transform(x), m.transform(x), atol=1e-6)
            self.assertEqual(there.gibbs(x).shape, x.shape)
            np.testing.assert_allclose(back.free_energy(x), m.free_energy(x), atol=2e-5)
            self.assertAlmostEqual(back.score(x), m.score(x), delta=1e-4)
            self.assertEqual((back.transform(x).dtype, back.sample(2).dtype), (dtype, dtype))

    def test_clone_pipeline_and_search(self):
        x = rows(300)
        y = x[:, 0].astype(int)
        m = small(n_components=8)
        self.assertEqual(clone(m).get_params(), m.get_params())
        pipeline = make_pipeline(m, LogisticRegression())
        self.assertGreater(cross_val_score(pipeline, x, y, cv=3).mean(), 0.8)
        search = GridSearchCV(
            pipeline,
            {"boltzmannmachine__n_components": [2, 8], "boltzmannmachine__patterns": [None, 2]},
            cv=2,
            n_jobs=2,
        )
        search.fit(x, y)
        self.assertGreater(search.best_score_, 0.8)
        again = pickle.loads(pickle.dumps(search))
        np.testing.assert_array_equal(again.predict(x), search.predict(x))
        # By the likelihood, which needs no labels: more epochs have more of it.
        search = GridSearchCV(small(), {"n_iter": [0, 20]}, cv=2).fit(x)
        self.assertEqual(search.best_params_, {"n_iter": 20})
        self.assertAlmostEqual(search.score(x), search.best_estimator_.score(x))

    def test_results_do_not_depend_on_the_number_of_jobs(self):
        x = rows(300)
        y = x[:, 0].astype(int)
        pipeline = make_pipeline(small(threads=None), LogisticRegression())
        a, b = (cross_val_score(pipeline, x, y, cv=3, n_jobs=n) for n in (1, 2))
        np.testing.assert_array_equal(a, b)

    def test_sparse_rows(self):
        from scipy import sparse

        x = rows()
        m, n = small().fit(x), small().fit(sparse.csr_matrix(x))
        np.testing.assert_array_equal(m.components_, n.components_)
        np.testing.assert_array_equal(m.transform(x), m.transform(sparse.csr_matrix(x)))

    def test_data_frames_and_names(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("no pandas")
        names = [f"s{i}" for i in range(12)]
        for x in (rows(), rows().astype(bool), rows().astype(np.float32)):
            frame = pandas.DataFrame(x, columns=names)
            m = small().fit(frame)
            self.assertEqual(list(m.feature_names_in_), names)
            np.testing.assert_array_equal(m.transform(frame), small().fit(x).transform(x))
            self.assertEqual(m.gibbs(frame).dtype, x.dtype)
            with self.assertRaisesRegex(ValueError, "feature names"):
                m.transform(frame[names[::-1]])
        whole = pandas.DataFrame(rows().astype(int), columns=names)
        for kind, dtype in (
            ("Int64", np.int64),
            ("Float32", np.float32),
            ("boolean", bool),
            (pandas.SparseDtype(np.float64, 0), np.float64),
            ("category", np.float64),
            (object, np.float64),
        ):
            m = small().fit(whole.astype(kind))
            np.testing.assert_array_equal(m.components_, small().fit(rows()).components_)
            self.assertEqual(m.sample(2).dtype, dtype, kind)
        self.assertEqual(
            list(m.get_feature_names_out()), [f"boltzmannmachine{i}" for i in range(5)]
        )
        if hasattr(m, "set_output"):
            out = m.set_output(transform="pandas").transform(frame)
            self.assertEqual(list(out.columns), list(m.get_feature_names_out()))


class Alone(unittest.TestCase):
    @needs_binary
    def test_without_scikit_learn(self):
        """The same machine where scikit-learn cannot be imported, with what takes the place of its
        base classes."""
        import os
        import subprocess
        import sys

        code = """if True:
            import sys
            sys.modules["sklearn"] = None
            import copy, pickle
            import numpy as np
            from common import rows, small
            import mattis
            x = rows()
            m = small(random_state=4)
            print(repr(m))
            assert "sklearn" not in type(m).__mro__[1].__module__
            t = m.fit_transform(x)
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(m)).transform(x), t)
            assert m.get_params()["n_components"] == 5 and m.set_params(n_iter=2) is m
            for wrong, words in (
                (lambda: m.transform(x[:, :5]), "12 features"), (lambda: m.transform(x[0]),
                "dimensions"), (lambda: m.transform(np.full((2, 12), np.nan)), "NaN"), (lambda:
                m.transform([["a"] * 12]), "numbers"), (lambda: small().transform(x), "not fitted"),
                (lambda: m.set_params(nope=1), "no parameter"), (lambda:
                small(random_state="x").fit(x), "no seed"), (lambda: m.transform(np.empty((0, 12))),
                "at least 1"),
            ):
                try:
                    wrong()
                except ValueError as err:
                    assert words in str(err), err
                else:
                    raise AssertionError(words)
            print(*m.get_feature_names_out()[:2], float(t.sum()))
        """
        out = subprocess.run(
            [sys.executable, "-c", code],
            cwd=os.path.dirname(os.path.abspath(__file__)),
            capture_output=True,
            text=True,
        )
        self.assertEqual(out.returncode, 0, out.stderr)
        lines = out.stdout.splitlines()
        self.assertEqual(
            lines[0], "BoltzmannMachine(n_components=5, n_iter=5, random_state=4, threads=1)"
        )
        names = lines[1].split()
        self.assertEqual(names[:2], ["boltzmannmachine0", "boltzmannmachine1"])
        self.assertAlmostEqual(
            float(names[2]), float(small(random_state=4).fit_transform(rows()).sum()), places=6
        )

    def test_version(self):
        import os
        import re

        with open(
            os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pyproject.toml")
        ) as file:
            self.assertEqual(
                re.search(r'^version = "(.*)"', file.read(), re.M).group(1), mattis.__version__
            )


if __name__ == "__main__":
    unittest.main()
