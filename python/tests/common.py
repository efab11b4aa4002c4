"""What the tests share: data, oracles that know nothing of the program, and where it is."""

import itertools
import os
import signal
import sys
import unittest

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import mattis  # noqa: E402
from mattis import _binary  # noqa: E402

# A shell starts what runs behind it with SIGINT ignored, and then nothing can be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

try:
    BINARY = _binary.find()
except mattis.MattisError as err:
    BINARY, WHY = None, str(err)

needs_binary = unittest.skipIf(BINARY is None, "no mattis program: set MATTIS to one")


def rows(n=200, v=12, seed=0):
    """Return n rows of 0 and 1 in float64 with structure: noisy copies of three prototypes."""
    random = np.random.RandomState(seed)
    prototypes = random.randint(0, 2, (3, v))
    x = prototypes[random.randint(0, 3, n)]
    return np.where(random.rand(n, v) < 0.1, 1 - x, x).astype(np.float64)


def states(n):
    """Return all rows of n values 0 and 1."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def free_energy(x, components, hidden, visible):
    """Return F(v) of rows of 0 and 1 by its definition."""
    return -(x @ visible) - np.logaddexp(0, x @ components.T + hidden).sum(axis=1)


def of(machine):
    """Return the three parameters of an estimator in float64."""
    return tuple(
        np.asarray(a, np.float64)
        for a in (machine.components_, machine.intercept_hidden_, machine.intercept_visible_)
    )


def small(**params):
    """Return an estimator that trains in no time."""
    return mattis.BoltzmannMachine(
        **{"n_components": 5, "n_iter": 5, "random_state": 0, "threads": 1, **params}
    )
