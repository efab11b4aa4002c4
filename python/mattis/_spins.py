"""Rows of values as spins, and spins as rows of the values that they came as."""

import warnings

import numpy as np

from ._errors import MattisValueError, MattisWarning

BITS, SPINS = "0/1", "-1/+1"
BLOCK = 1 << 22  # entries looked at together

CUT_HALF, CUT_BYTES = 0.5, 127.5  # of greys from 0 to 1, and of those from 0 to 255


class Rows:
    """Rows as spins: an int8 array of -1 and +1, what they were (None where every value is 1, which both have), and where
    greys were cut (None where there were none)."""

    def __init__(self, spins, units, cut):
        self.spins, self.units, self.cut = spins, units, cut


def read(X, cut=None, name="X"):
    """Return the rows of a dense or sparse array. 0/1 and -1/+1 are told apart by what is there. Other values are cut:
    at cut, or, where it is None, at half of white where they are greys; anything else is refused."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    spins = np.empty(X.shape, np.int8)
    if X.dtype == bool:
        np.multiply(X.view(np.int8), 2, out=spins)
        spins -= 1
        return Rows(spins, BITS, None)
    step = max(1, BLOCK // max(1, X.shape[1]))
    blocks = [slice(i, i + step) for i in range(0, len(X), step)]
    units = None
    for rows in blocks:
        block = X[rows]
        one = block == 1
        ones = np.count_nonzero(one)
        if ones < one.size:
            low = 0 if np.count_nonzero(block == 0) == one.size - ones else -1
            if low == -1 and np.count_nonzero(block == -1) != one.size - ones:
                return _cut(X, blocks, spins, cut, name)
            now = BITS if low == 0 else SPINS
            if units is not None and units != now:
                return _cut(X, blocks, spins, cut, name)
            units = now
        np.multiply(one.view(np.int8), 2, out=spins[rows])
        spins[rows] -= 1
    return Rows(spins, units, None)


def _cut(X, blocks, spins, cut, name):
    """Return the rows of values of which there are more than two."""
    if cut is None:
        cut = _half_of_white(X, name)
    for rows in blocks:
        np.multiply((X[rows] > cut).view(np.int8), 2, out=spins[rows])
        spins[rows] -= 1
    return Rows(spins, BITS, cut)


def _half_of_white(X, name):
    """Return where greys are cut, with a word about it; values that are no greys are an error."""
    least, most = X.min(), X.max()
    whole = X.dtype.kind in "iu" or bool((X == np.floor(X)).all())
    if least == -1 and most <= 1 and whole:
        raise MattisValueError(
            f"{name} holds -1 and 0: spins have two values, 0 and 1 or -1 and 1. If 0 stands for a missing entry, give "
            "rows without them; if they are grades, binarize=0 makes 1 of those above 0"
        )
    if least >= 0 and most <= 1:
        cut, white = CUT_HALF, 1
    elif least >= 0 and most <= 255 and whole:
        cut, white = CUT_BYTES, 255
    else:
        place = np.argwhere((X < 0) | (X > 1))[0]
        raise MattisValueError(
            f"{name} holds {X[tuple(place)]} (row {place[0]}, column {place[1]}, counted from 0): spins have two values, 0 and 1 "
            "or -1 and 1. Make two of them where that has a meaning, such as (X > X.mean(axis=0)), or give binarize=VALUE, "
            "above which a value is 1"
        )
    warnings.warn(
        f"{name} holds greys from 0 to {white}: those above {cut} are taken as 1, the others as 0. binarize={cut} does so "
        "without this warning",
        MattisWarning,
        stacklevel=5,
    )
    return cut


def write(spins, units, dtype):
    """Return spins as values of the units and the type."""
    dtype = np.dtype(dtype)
    if units == SPINS:
        return spins.astype(dtype)
    return (spins > 0).astype(dtype)
