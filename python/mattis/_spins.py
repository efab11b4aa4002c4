"""Rows of values as spins, and spins as rows of the values that they came as."""

import warnings

import numpy as np

from ._errors import MattisValueError, MattisWarning

BITS, SPINS = "0/1", "-1/+1"
BLOCK = 1 << 22  # entries looked at together

GREYS = 9  # different whole numbers from which on they are greys, as mattis data show has it


class Rows:
    """Rows as spins: an int8 array of -1 and +1, what they were (None where every value is 1, which
    both have), and where greys were cut (None where there were none)."""

    def __init__(self, spins, units, cut):
        self.spins, self.units, self.cut = spins, units, cut


def unmasked(X, missing=False, name="X"):
    """Return X without its mask, which scikit-learn drops with the values under it: masked entries
    are NaN where missing ones are allowed, and refused elsewhere."""
    if not np.ma.isMaskedArray(X):
        return X
    masked = np.ma.count_masked(X)
    if masked == 0:
        return X.data
    if missing:
        return X.astype(np.result_type(X.dtype, np.float16)).filled(np.nan)
    raise MattisValueError(
        f"{name} is a masked array with {masked} masked entries, which are missing: give rows "
        "without them, or fill them in; reconstruct draws them given the others"
    )


def read(X, cut=None, name="X"):
    """Return the rows of a dense or sparse array. 0/1 and -1/+1 are told apart by what is there.
    Other values are cut: at cut, or, where it is None, at half of white where they are greys;
    anything else is refused."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    if X.dtype == object:
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError) as err:
            raise MattisValueError(f"{name} holds what is no number: {err}") from None
    if X.dtype.kind not in "biuf":
        raise MattisValueError(f"{name} holds {X.dtype}, want numbers")
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


def whole(X):
    """Refuse NaN, which stands for a missing entry, with what takes it."""
    x = None if hasattr(X, "toarray") else np.asarray(X)
    if x is not None and x.dtype.kind == "f" and np.isnan(x).any():
        raise MattisValueError(
            "X holds NaN: reconstruct draws missing entries; to train on rows that lack some, save "
            "them (numpy.save('X.npy', X)) and run mattis init X.npy --out X.yaml and mattis train "
            "X.yaml, which has data.missing: allow; load_run reads its run"
        )


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
            f"{name} holds -1 and 0: spins have two values, 0 and 1 or -1 and 1. If 0 stands for a "
            f"missing entry, give "
            "rows without them; if they are grades, binarize=0 makes 1 of those above 0"
        )
    white = 1 if most <= 1 else _white(X) if whole and most <= 255 else None
    if least < 0 or white is None:
        place = np.argwhere((X < 0) | (X > 1))[0]
        raise MattisValueError(
            f"{name} holds {X[tuple(place)]} (row {place[0]}, column {place[1]}, counted from 0): "
            f"spins have two values, 0 and 1 "
            "or -1 and 1. Make two of them where that has a meaning, such as (X > X.mean(axis=0)), "
            "or give binarize=VALUE, "
            "above which a value is 1"
        )
    cut = white / 2
    warnings.warn(
        f"{name} holds greys from 0 to {white}: those above {cut} are taken as 1, the others as 0. "
        f"binarize={cut} does so "
        "without this warning",
        MattisWarning,
        stacklevel=6,
    )
    return cut


def _white(X):
    """Return the white of whole numbers from 0 on: 255 where one is above 127, else the largest,
    and None where they are too few to be greys: counts, grades or classes."""
    most = int(X.max())
    if most > 127:
        return 255
    return most if len(np.unique(X)) >= GREYS else None


def write(spins, units, dtype):
    """Return spins as values of the units and the type."""
    dtype = np.dtype(dtype)
    if units == SPINS:
        return spins.astype(dtype)
    return (spins > 0).astype(dtype)


def dtype_of(X):
    """Return the type of the values of what was given as rows."""
    if hasattr(X, "dtype"):
        return _numpy(X.dtype)
    if hasattr(X, "dtypes"):
        return np.result_type(*{_numpy(t) for t in X.dtypes})
    return _numpy(np.asarray(X).dtype)


def _numpy(dtype):
    """Return the numpy type for one of an array or of a column of pandas: float64 for what numpy
    has no number for."""
    kept = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))  # Int64, Sparse[int]
    kept = (
        kept if isinstance(kept, np.dtype) else np.dtype(object)
    )  # categories, and what else there is
    return kept if kept.kind in "biuf" else np.dtype(np.float64)


def in_parts(name, spins):
    """Return the rows as bodies none of which is large."""
    step = max(1, (1 << 28) // max(1, spins.shape[1]))
    return [(name, spins[i : i + step]) for i in range(0, max(1, len(spins)), step)]


def mask_of(known, shape):
    """Return a mask of that shape from one of its own, one of the features, a slice, or numbers of
    features."""
    if not isinstance(known, slice):
        known = np.asarray(known)
        known = known.astype(np.intp) if known.size == 0 else known  # an empty list has floats
        if known.shape == shape and known.dtype == bool:
            return known
    mask = np.zeros(shape[1], bool)
    if not isinstance(known, slice) and known.dtype == bool and known.shape != mask.shape:
        raise MattisValueError(f"known has the shape {known.shape}, want {shape} or ({shape[1]},)")
    try:
        mask[known] = True
    except IndexError as err:
        raise MattisValueError(
            f"known names features that are none of the {shape[1]}: {err}"
        ) from None
    return np.broadcast_to(mask, shape)
