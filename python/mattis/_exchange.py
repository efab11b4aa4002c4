"""How a machine goes to files and to scikit-learn, and comes from there."""

import os
import subprocess
import tempfile

import numpy as np

from . import _binary, _spins
from ._base import check_random_state
from ._errors import MattisValueError
from ._link import Link
from ._worker import array


class Exchange:
    """The part of BoltzmannMachine that other programs' machines pass through, and its parameters
    in their terms."""

    @property
    def components_(self):
        """Weights in BernoulliRBM's convention, (n_components, n_features): 4 W^T of the spins'
        W."""
        return self._parameters()[0]

    @property
    def intercept_hidden_(self):
        """Hidden biases in BernoulliRBM's convention."""
        return self._parameters()[1]

    @property
    def intercept_visible_(self):
        """Visible biases in BernoulliRBM's convention."""
        return self._parameters()[2]

    def save(self, path):
        """Write the machine to a .safetensors file, as mattis convert and BoltzmannMachine.load
        read it."""
        path = os.fspath(path)
        if not path.endswith(".safetensors"):
            raise MattisValueError(f"{path}: want a name that ends in .safetensors")
        link = self._fitted()
        link.sync()
        with open(path + ".tmp", "wb") as out:
            out.write(link.state["file"])
        os.replace(path + ".tmp", path)

    @classmethod
    def load(cls, run, *, checkpoint="last", units="0/1", **params):
        """Return the fitted estimator of a run directory, or of a file that mattis convert reads,
        such as save leaves. checkpoint of a run is a step, "best" or "last"; units are "0/1" or
        "-1/+1", as what is drawn comes; params are the estimator's."""
        if units not in (_spins.BITS, _spins.SPINS):
            raise MattisValueError(f"units={units!r}: want {_spins.BITS!r} or {_spins.SPINS!r}")
        run = os.path.abspath(os.fspath(run))
        if os.path.isfile(run):
            with tempfile.TemporaryDirectory(prefix="mattis-") as folder:
                made = os.path.join(folder, "run")
                program = _binary.find(params.get("binary"))
                done = subprocess.run(
                    [program, "convert", run, made], capture_output=True, text=True
                )
                if done.returncode != 0:
                    raise MattisValueError(done.stderr.strip().removeprefix("mattis: "))
                est = cls.load(made, units=units, **params)
            del est.run_dir_
            return est
        est = cls(**params)
        link = est._link = Link()
        head, _ = link.call("open", run=run, checkpoint=str(checkpoint), **est._where())
        link.moved()
        link.sync()
        est.n_features_in_, est.n_components = head["visible"], head["hidden"]
        est._units, est._dtype, est._cut, est._n_features_out = (
            units,
            np.dtype(np.int8),
            None,
            head["hidden"],
        )
        est._seed = est._seed_of(check_random_state(est.random_state))
        est.random_state_ = np.random.RandomState(est._seed % 2**32)
        est.n_iter_, est.recipe_, est.history_, est.run_dir_ = (
            head["epoch"],
            head["recipe"],
            [],
            run,
        )
        return est

    @classmethod
    def from_sklearn(cls, rbm, **params):
        """Return the fitted estimator of a BernoulliRBM that scikit-learn has fitted, or of any
        object with its three attributes: the same machine, with what this class can say of it.
        params are the estimator's."""
        with tempfile.TemporaryDirectory(prefix="mattis-") as folder:
            given = os.path.join(folder, "rbm.npz")
            names = ("components_", "intercept_hidden_", "intercept_visible_")
            np.savez(given, **{name: np.asarray(getattr(rbm, name)) for name in names})
            est = cls.load(given, **params)
        est._dtype = np.asarray(rbm.components_).dtype
        return est

    def to_sklearn(self):
        """Return scikit-learn's BernoulliRBM of the same machine."""
        from sklearn.neural_network import BernoulliRBM

        rbm = BernoulliRBM(self.n_components, random_state=self.random_state)
        rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_ = (
            a.copy() for a in self._parameters()
        )
        rbm.n_features_in_, rbm.h_samples_ = self.n_features_in_, np.zeros(
            (self.batch_size, self._n_features_out)
        )
        if hasattr(self, "feature_names_in_"):
            rbm.feature_names_in_ = self.feature_names_in_
        return rbm

    def _parameters(self):
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"this {type(self).__name__} is not fitted yet: call fit first")
        link = self._fitted()
        if "parameters" not in link.cache:
            arrays = [array(body) for body in link.call("parameters", **self._where())[1]]
            dtype = np.float32 if self._dtype == np.float32 else np.float64
            link.cache["parameters"] = [a.astype(dtype) for a in arrays]
        return link.cache["parameters"]
