"""The estimator: a Boltzmann machine in scikit-learn's manner."""

import os
import time
import warnings

import numpy as np

from . import _binary, _recipe, _spins
from ._base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    NotFittedError,
    TransformerMixin,
    check_random_state,
    validate,
)
from ._errors import MattisError, MattisValueError, MattisWarning
from ._exchange import Exchange
from ._link import Link
from ._scratch import Scratch
from ._service import Service
from ._worker import array

SEEDS = 2**31 - 1
MEASURES = {"best": "logz", "exact": "logz_exact", "ais": "logz_ais"}


class BoltzmannMachine(Exchange, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A restricted Boltzmann machine, trained and used by the mattis program.

    It takes the place of sklearn.neural_network.BernoulliRBM: parameters, methods and attributes of
    that class have its names and meanings. Rows hold 0 and 1, or -1 and 1, and what is drawn holds
    the same; hidden variables come as the probability of 1, or as the mean spin of rows of -1 and
    1. The attributes and the energies are always those of 0/1 variables,

        E(v, h) = -h . components_ v - intercept_visible_ . v - intercept_hidden_ . h

    Parameters
    ----------
    n_components : hidden variables.
    learning_rate : step of components_ for a gradient of 1, in the first epoch. It falls to a
        hundredth by the last one.
    batch_size : rows of a minibatch.
    n_iter : epochs.
    verbose : 1 prints the pseudo-likelihood after each epoch.
    random_state : seed; the same number gives the same machine, whatever the number of threads.
    patterns : K, for couplings that are regularized axons of K patterns.
    couplings : "dense" or "axons"; None takes axons where patterns are given.
    n_chains : persistent chains; None takes 32, or batch_size if that is more.
    binarize : values of X that are not two are 1 above this; None takes greys at half
        of white, with a warning, and refuses all else. Greys are values from 0 to 1, or nine or
        more different whole numbers, of 0 to 255 where one is above 127, else of 0 to the largest.
    recipe : a training as mattis train knows it, in place of the default: the name of a built-in
        recipe or of a file, its text, or a dict. It says what n_components, learning_rate (in its
        own units), batch_size and n_iter are, unless these are set to other values than their
        defaults. Its data section gives way to X.
    settings : dict of fields laid over the recipe, such as {"optimizer.momentum": 0.5}; None
        takes one out of it.
    run_dir : directory that fit makes and leaves, for mattis resume, eval, watch and load_run; None
        keeps none.
    image_shape : (height, width) of the images that rows are, for what run_dir shows.
    threads : None takes one a core, or the share that joblib says in OMP_NUM_THREADS.
    binary : path of the program; None takes $MATTIS, the one in the package, or that on PATH.
    url, token : a machine of mattis serve, http://HOST:PORT/v1/runs/NAME, in place of one that is
        fitted here: it is used as it is, its energies are those of spins, which differ by a
        constant that log_partition has too, and its parameters stay there.

    Attributes
    ----------
    components_ : (n_components, n_features) weights.
    intercept_hidden_, intercept_visible_ : biases.
    n_features_in_, feature_names_in_ : of X at fit.
    n_iter_ : epochs that were trained.
    history_ : list of measures, each a dict with epoch, step, name, split and value.
    recipe_ : the complete recipe, in YAML.
    run_dir_ : the run directory, if there is one.
    """

    def __init__(
        self,
        n_components=256,
        *,
        learning_rate=0.1,
        batch_size=10,
        n_iter=10,
        verbose=0,
        random_state=None,
        patterns=None,
        couplings=None,
        n_chains=None,
        binarize=None,
        recipe=None,
        settings=None,
        run_dir=None,
        image_shape=None,
        threads=None,
        binary=None,
        url=None,
        token=None,
    ):
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.patterns = patterns
        self.couplings = couplings
        self.n_chains = n_chains
        self.binarize = binarize
        self.recipe = recipe
        self.settings = settings
        self.run_dir = run_dir
        self.image_shape = image_shape
        self.threads = threads
        self.binary = binary
        self.url = url
        self.token = token

    # Learning.

    def fit(self, X, y=None, *, test=None):
        """Train on the rows of X, anew, and return self. test are rows that measures of a recipe
        may look at.

        Ctrl-C ends it after the update under way: the object is then what it has come to, run_dir_
        holds a checkpoint of it, and KeyboardInterrupt is raised."""
        self._trains_here()
        _recipe.check(self)
        rows = self._read(X, reset=True)
        bodies = _spins.in_parts("train", rows.spins)
        if test is not None:
            cut = rows.cut if self.binarize is None else self.binarize
            test = validate(self, _spins.unmasked(test, name="test"), False)
            bodies += _spins.in_parts("test", _spins.read(test, cut, "test").spins)
        seed = self._seed_of(check_random_state(self.random_state))
        fields = _recipe.compose(self, seed, test is not None)
        scratch = Scratch() if self.run_dir is None else None
        run = os.path.join(scratch.path, "run") if scratch else self.run_dir
        run = os.path.abspath(os.fspath(run))
        link = self.__dict__.setdefault("_link", Link())
        self._forget()
        history, notes, began = [], [], [time.time()]

        def told(event):
            if event["event"] == "measure":
                history.append(event["metric"])
            elif event["event"] == "note":
                notes.append(event["text"])
            elif self.verbose and event["epoch"] > 0:
                self._print(event["epoch"], history, time.time() - began[0])
                began[0] = time.time()

        stopped = None
        try:
            head = link.fit(bodies, told, run=run, keep=scratch is None, **self._where(), **fields)
            stopped = head["stopped_by"]
        finally:
            if scratch and stopped is None:
                scratch.remove()
            for text in notes:
                warnings.warn(text, MattisWarning, stacklevel=2)
        self._learned(rows, X, seed, head)
        self.history_ = history
        if scratch is None or stopped is not None:
            self.run_dir_ = head["run"]
            self._scratch = scratch  # which is there as long as the object
        if stopped is not None:
            raise stopped
        return self

    def partial_fit(self, X, y=None):
        """Do one update on all rows of X as one minibatch, and return self. The first one of an
        object that is not fitted begins a machine whose offset is the mean of these rows. The
        learning rate is that of the first epoch, or of a fitted object's last one."""
        self._trains_here()
        _recipe.check(self)
        fresh = not self.__sklearn_is_fitted__()
        rows = self._read(X, reset=fresh)
        seed = self._seed_of(check_random_state(self.random_state)) if fresh else self._seed
        fields = _recipe.compose(self, seed, False)
        link = self.__dict__.setdefault("_link", Link())
        # An update is short: an interrupt waits for its end.
        head, _ = link.call(
            "partial_fit",
            _spins.in_parts("train", rows.spins),
            told=lambda event: None,
            **self._where(),
            **fields,
        )
        link.moved()
        if fresh:
            self._forget()
            self._learned(rows, X, seed, head)
            self.history_ = []
        self.recipe_ = head["recipe"]
        if head["stopped_by"] is not None:
            raise head["stopped_by"]
        return self

    # Use.

    def transform(self, X):
        """Return the hidden variables of each row: the probability that each is 1, or, of a machine
        fitted to -1 and 1, its mean."""
        rows = self._read(X)
        dtype = _spins.dtype_of(X)
        if dtype not in (np.float32, np.float64):
            dtype = np.dtype(np.float64)
        link, h = self._fitted(), self.__dict__.get("_n_features_out", self.n_components)
        out = None
        for part, mean in link.over("transform", rows.spins, 4 * h, **self._where()):
            if out is None:
                out = np.empty((len(rows.spins), mean.shape[1]), dtype)
            if self._units == _spins.SPINS:
                out[part] = mean
            else:
                np.add(mean, 1, out=out[part])
                out[part] /= 2
        return out

    def score_samples(self, X, *, random_state=None):
        """Return the pseudo-likelihood of each row as BernoulliRBM defines it: n_features times the
        log-probability of one variable given the others, which is drawn by random_state (None: that
        of the estimator)."""
        rows = self._read(X)
        link = self._fitted()
        random = check_random_state(self.random_state if random_state is None else random_state)
        n, v = rows.spins.shape
        flips = random.randint(0, v, n).astype(np.int32)
        out = np.empty(n)
        for part, x in link.over(
            "score_samples", rows.spins, 8, [("flips", flips)], **self._where()
        ):
            out[part] = x
        return out

    def free_energy(self, X):
        """Return F(v) of each row, float64: log P(v) = -F(v) - log_partition()."""
        rows = self._read(X)
        out = np.empty(len(rows.spins))
        for part, x in self._fitted().over("free_energy", rows.spins, 8, **self._where()):
            out[part] = x
        return out

    def log_partition(self, *, method="best", return_std=False, random_state=None, options=None):
        """Return log Z in nats, and with return_std its standard error (None where it is not
        known).

        method is "best" (the sum over all states where it can be afforded, annealed importance
        sampling elsewhere), "exact", "ais", or a logz measure of mattis eval. options are those of
        the measure: {"ais.runs": 1000}. Results are kept until the machine moves."""
        link = self._fitted()
        measure = MEASURES.get(method, method)
        if not str(measure).startswith("logz"):
            raise MattisValueError(
                f"method={method!r}: want {', '.join(map(repr, MEASURES))} or a measure logz_... "
                f"of mattis eval"
            )
        seed = 0 if random_state is None else self._seed_from(random_state)
        settings = [
            f"measure.options.{path}={_recipe._yaml(value)}"
            for path, value in (options or {}).items()
        ]
        key = ("log_partition", measure, seed, tuple(settings))
        if key not in link.cache:
            head, _ = link.call(
                "log_partition", measure=measure, seed=seed, settings=settings, **self._where()
            )
            link.cache[key] = head
        head = link.cache[key]
        for text in head["warnings"] or []:
            warnings.warn(text, MattisWarning, stacklevel=2)
        return (head["value"], head.get("stderr")) if return_std else head["value"]

    def score(self, X, y=None):
        """Return the mean log-likelihood of the rows in nats, by log_partition()."""
        return float(-self.free_energy(X).mean() - self.log_partition())

    def gibbs(self, v):
        """Return the rows after one Gibbs sweep, visible to hidden to visible. Each call draws
        anew."""
        rows = self._read(v)
        out = np.empty_like(rows.spins)
        for part, x in self._fitted().over(
            "gibbs",
            rows.spins,
            rows.spins.shape[1],
            seed=self._seed_from(None),
            steps=1,
            **self._where(),
        ):
            out[part] = x
        return _spins.write(out, rows.units or self._units, _spins.dtype_of(v))

    def sample(
        self,
        n_samples=1,
        *,
        steps=100,
        chains=None,
        start="random",
        sampler="gibbs",
        random_state=None,
    ):
        """Return samples as rows like those of fit. Each of chains chains (None: as many as
        samples, which are then independent of each other) runs steps sweeps before each of its
        samples. They start from "random" values, the "patterns", some training rows ("data"), or
        the rows of an array. sampler is one of mattis sample: gibbs, tempering, annealing,
        guided."""
        link = self._fitted()
        bodies, source = [], start
        if not isinstance(start, str):
            bodies, source = _spins.in_parts("rows", self._read(start, name="start").spins), "rows"
        fields = {
            "count": int(n_samples),
            "steps": int(steps),
            "chains": int(chains or 0),
            "from": source,
            "sampler": sampler,
        }
        spins = link.call(
            "sample", bodies, seed=self._seed_from(random_state), **self._where(), **fields
        )[1]
        return _spins.write(array(spins[0]), self._units, self._dtype)

    def reconstruct(self, X, known=None, *, steps=10, sampler="gibbs", random_state=None):
        """Return the rows with their unknown entries drawn given the known ones. known is a mask of
        the features, or of all of X, or names features by a slice or their numbers; None: what is
        not NaN is known."""
        x = self._checked(X, missing=True)
        x = x.toarray() if hasattr(x, "toarray") else x
        unknown = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
        if known is not None:
            unknown |= ~_spins.mask_of(known, x.shape)
        filled = np.where(unknown, np.ones((), x.dtype), x)  # 1 is a value of both conventions
        rows = _spins.read(filled, self._cut if self.binarize is None else self.binarize)
        spins = np.where(unknown, np.int8(0), rows.spins)
        out = np.empty_like(spins)
        fields = {"steps": int(steps), "sampler": sampler, "seed": self._seed_from(random_state)}
        for part, y in self._fitted().over(
            "reconstruct", spins, spins.shape[1], **self._where(), **fields
        ):
            out[part] = y
        return _spins.write(out, rows.units or self._units, x.dtype)

    def binary_path(self):
        """Return the path of the program that is used."""
        return _binary.find(self.binary)

    # How it is done.

    _units, _dtype, _cut = _spins.BITS, np.dtype(np.int8), None  # until there is a fit

    def _trains_here(self):
        if self.url is not None:
            raise MattisError(
                f"url={self.url}: a service holds a machine that is trained; leave url out to "
                f"train one here"
            )

    def __sklearn_is_fitted__(self):
        if self.url is not None:
            return True
        link = self.__dict__.get("_link")
        return link is not None and (link.state is not None or link.stale)

    def _where(self):
        return {"binary": self.binary, "threads": self.threads}

    def _fitted(self):
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with "
                f"appropriate arguments before using this estimator."
            )
        if self.url is not None:
            service = self.__dict__.get("_service")
            if service is None or (service.url, service.token) != (
                self.url.rstrip("/"),
                self.token,
            ):
                service = self._service = Service(self.url, self.token)
            return service
        return self._link

    def _checked(self, X, reset=False, missing=False):
        if not reset:
            self._fitted()
        X = _spins.unmasked(X, missing)
        if not missing:
            _spins.whole(X)
        return validate(
            self, X, reset or self.url is not None, missing
        )  # a service knows its own features

    def _read(self, X, reset=False, name="X"):
        cut = self.binarize if self.binarize is not None or reset else getattr(self, "_cut", None)
        return _spins.read(self._checked(X, reset), cut, name)

    def _forget(self):
        for name in ("n_iter_", "recipe_", "history_", "run_dir_", "_scratch"):
            self.__dict__.pop(name, None)

    def _learned(self, rows, X, seed, head):
        self._units, self._cut, self._dtype = (
            rows.units or _spins.BITS,
            rows.cut,
            _spins.dtype_of(X),
        )
        self._seed, self.random_state_ = seed, np.random.RandomState(seed % 2**32)
        self._n_features_out, self.n_iter_, self.recipe_ = (
            head["hidden"],
            head["epoch"],
            head["recipe"],
        )

    def _seed_of(self, random):
        """Return the seed itself where random_state is a number, so that mattis train --seed draws
        the same."""
        if isinstance(self.random_state, (int, np.integer)) and not isinstance(
            self.random_state, bool
        ):
            return int(self.random_state)
        return int(random.randint(1, SEEDS))

    def _seed_from(self, random_state):
        """Return the seed of what is drawn now: of random_state, or the next one of the object's
        own stream."""
        if random_state is None:
            if "random_state_" not in self.__dict__:  # of a service
                self.random_state_ = check_random_state(self.random_state)
            return int(self.random_state_.randint(1, SEEDS))
        if isinstance(random_state, (int, np.integer)):
            if not 0 <= random_state < 2**64:
                raise MattisValueError(
                    f"random_state={random_state}: want a whole number from 0 to 2^64-1"
                )
            return int(random_state)
        return int(check_random_state(random_state).randint(1, SEEDS))

    def _print(self, epoch, history, seconds):
        values = [
            m["value"]
            for m in history
            if m["epoch"] == epoch and m["name"] == "pseudo_likelihood" and m["split"] == "train"
        ]
        pseudo = f"pseudo-likelihood = {values[-1]:.2f}, " if values else ""
        print(
            f"[{type(self).__name__}] Iteration {epoch}, {pseudo}time = {seconds:.2f}s", flush=True
        )

    def __getstate__(self):
        state = {k: v for k, v in self.__dict__.items() if k not in ("_scratch", "_service")}
        if self.__dict__.get("_scratch") is not None:
            state.pop("run_dir_", None)
        if "_link" in state:
            state["_link"] = state["_link"].__getstate__()["state"]
        return state

    def __setstate__(self, state):
        state = dict(state)
        if "_link" in state:
            state["_link"] = Link(state["_link"])
        self.__dict__.update(state)

    def _more_tags(self):
        return {"preserves_dtype": [np.float64, np.float32], "_xfail_checks": dict(NOT_APPLICABLE)}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


NOT_APPLICABLE = {
    "check_methods_subset_invariance": "score_samples draws a variable for each row, as "
    "BernoulliRBM does",
    "check_methods_sample_order_invariance": "score_samples draws a variable for each row, as "
    "BernoulliRBM does",
}
