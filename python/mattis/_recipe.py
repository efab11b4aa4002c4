"""The recipe of a training, from an estimator's parameters."""

import json
import numbers
import os

import numpy as np

from ._errors import MattisValueError

# A rate in 0/1 units is 16 times one in spins: components_ = 4 W, and a step of W is that of
# components_ over 4.
UNITS = 16
AXON_UNITS = (
    5  # patterns have entries of about 1 whatever the sizes, and Adam moves each by about the rate
)
FALL = 0.01  # the rate of the last epoch, as a share of the first
CHAINS = 32  # persistent chains, where no more are in a batch
PATTERNS = 64  # of axons, where none are named

DEFAULTS = {"n_components": 256, "learning_rate": 0.1, "batch_size": 10, "n_iter": 10}


def check(est):
    """Raise an error for the first parameter that is none."""
    for name, least in (("n_components", 1), ("batch_size", 1), ("n_iter", 0)):
        value = getattr(est, name)
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise MattisValueError(f"{name}={value!r}: want a whole number of at least {least}")
    rate = est.learning_rate
    if not isinstance(rate, numbers.Real) or isinstance(rate, bool) or not 0 < rate < float("inf"):
        raise MattisValueError(f"learning_rate={rate!r}: want a positive number")
    for name in ("patterns", "n_chains", "threads"):
        value = getattr(est, name)
        least = 0 if name == "threads" else 1
        if value is not None and (
            not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least
        ):
            raise MattisValueError(
                f"{name}={value!r}: want None or a whole number of at least {least}"
            )
    if est.couplings not in (None, "dense", "axons"):
        raise MattisValueError(f'couplings={est.couplings!r}: want None, "dense" or "axons"')
    if est.couplings == "dense" and est.patterns is not None:
        raise MattisValueError(
            f'patterns={est.patterns}: couplings="dense" have no patterns, "axons" have'
        )
    if not isinstance(est.recipe, (type(None), str, os.PathLike, dict)):
        raise MattisValueError(
            f"recipe={est.recipe!r}: want None, a name, a path, a text or a dict"
        )
    if not isinstance(est.run_dir, (type(None), str, os.PathLike)):
        raise MattisValueError(f"run_dir={est.run_dir!r}: want None or a path")
    cut = est.binarize
    if cut is not None and (
        not isinstance(cut, numbers.Real) or isinstance(cut, bool) or cut != cut
    ):
        raise MattisValueError(
            f"binarize={cut!r}: want None or the value above which an entry of X is 1"
        )
    shape = est.image_shape
    if shape is not None and (
        not isinstance(shape, (tuple, list))
        or len(shape) != 2
        or not all(isinstance(n, numbers.Integral) and n > 0 for n in shape)
    ):
        raise MattisValueError(f"image_shape={shape!r}: want None or (height, width)")
    if est.settings is not None and not isinstance(est.settings, dict):
        raise MattisValueError(
            f'settings={est.settings!r}: want a dict such as {{"optimizer.momentum": 0.5}}'
        )


def compose(est, seed, test):
    """Return the fields of a request that bring the estimator's recipe."""
    settings = {}
    fields = {}
    if est.recipe is None:
        fields["recipe"] = json.dumps(default(est))
    else:
        fields.update(_given(est.recipe))
        for name, path in (
            ("n_components", "machine.hidden"),
            ("n_iter", "train.epochs"),
            ("batch_size", "train.batch"),
            ("learning_rate", "optimizer.rate"),
        ):
            value = getattr(est, name)
            if value != DEFAULTS[name]:
                settings[path] = value
        if est.couplings == "axons" or est.patterns is not None:
            settings["couplings.kind"] = "axons"
            if est.patterns is not None:
                settings["couplings.patterns"] = est.patterns
        elif est.couplings == "dense":
            settings["couplings.kind"] = "dense"
        if est.n_chains is not None:
            settings["negative.chains"] = est.n_chains
    if est.verbose:
        settings["measure.every"] = 1
        settings["measure.train"] = ["pseudo_likelihood"]
        if test:
            settings["measure.test"] = ["pseudo_likelihood"]
    settings["seed"] = seed
    settings.update(est.settings or {})
    fields["settings"] = [f"{path}={_yaml(value)}" for path, value in settings.items()]
    if est.image_shape is not None:
        fields["height"], fields["width"] = (int(n) for n in est.image_shape)
    return fields


def _given(recipe):
    """Return the fields for a recipe: a dict, a text in YAML, or the name of a file or of a
    built-in recipe."""
    if isinstance(recipe, dict):
        return {"recipe": json.dumps(recipe, default=_plain)}
    text = os.fspath(recipe)
    if "\n" in text or ":" in text and not os.path.exists(text):
        return {"recipe": text}
    return {"recipe_name": os.path.abspath(text) if os.path.exists(text) else text}


def default(est):
    """Return the recipe that the parameters make where none is given; docs/python.md says why it is
    this one."""
    axons = est.couplings == "axons" or est.patterns is not None
    couplings = {"kind": "dense", "init": {"normal": 0.01}}
    optimizer = {"kind": "sgd", "rate": float(est.learning_rate) / UNITS}
    if axons:
        couplings = {
            "kind": "axons",
            "patterns": int(est.patterns or PATTERNS),
            "gain": 0.1,
            "init": {"uniform": 1},
        }
        optimizer = {"kind": "adam", "rate": float(est.learning_rate) / AXON_UNITS}
    n = int(est.n_iter)
    optimizer["decay"] = {"factor": FALL ** (1 / (n - 1)) if n > 1 else 1, "after": 0, "floor": 0}
    return {
        "machine": {
            "kind": "rbm",
            "hidden": int(est.n_components),
            "biases": "both",
            "offset": "mean",
        },
        "couplings": couplings,
        "negative": {
            "kind": "pcd",
            "steps": 1,
            "chains": int(est.n_chains or max(CHAINS, est.batch_size)),
        },
        "optimizer": optimizer,
        "train": {
            "epochs": n,
            "batch": int(est.batch_size),
            "checkpoint": {"epochs": 0, "minutes": 5, "keep": 3},
        },
        "measure": {"every": 0},
    }


def _yaml(value):
    return json.dumps(value, default=_plain)


def _plain(value):
    """Return a number of numpy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise MattisValueError(
        f"{value!r} has no place in a recipe: want numbers, texts, lists and dicts"
    )
