"""Run directories, read without the program."""

import json
import os
import struct
import warnings

import numpy as np

from ._errors import MattisError, MattisWarning

TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
}


def read_safetensors(path):
    """Return the arrays of a safetensors file by name, and its metadata."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(8)
        if len(head) < 8:
            raise MattisError(f"{path}: no safetensors file: it has {size} bytes")
        (n,) = struct.unpack("<Q", head)
        if not 2 <= n <= size - 8:
            raise MattisError(
                f"{path}: no safetensors file, or a damaged one: a header of {n} bytes in a file "
                f"of {size}"
            )
        try:
            entries = json.loads(file.read(n))
        except ValueError as err:
            raise MattisError(f"{path}: the header is damaged: {err}") from None
        data = file.read()
    arrays, metadata = {}, {}
    for name, entry in entries.items():
        if name == "__metadata__":
            metadata = entry
            continue
        try:
            dtype, shape, (begin, end) = (
                np.dtype(TYPES[entry["dtype"]]),
                entry["shape"],
                entry["data_offsets"],
            )
            if not 0 <= begin <= end <= len(data):
                raise ValueError(f"its bytes {begin} to {end} are not there")
            arrays[name] = np.frombuffer(data[begin:end], dtype).reshape(shape).copy()
        except (KeyError, TypeError, ValueError) as err:
            raise MattisError(f"{path}: tensor {name} is damaged: {err}") from None
    return arrays, metadata


class Run:
    """A run directory: what was trained and how it went.

    path, recipe (YAML), environment and state (dicts, empty where there are none), steps (those
    that have a checkpoint), step (of the parameters) and parameters: arrays of spins by the names
    that checkpoints give them."""

    def __init__(self, path, checkpoint="last"):
        self.path = os.path.abspath(os.fspath(path))
        recipe = os.path.join(self.path, "recipe.yaml")
        if not os.path.isfile(recipe):
            raise MattisError(f"{self.path} is no run directory: it has no recipe.yaml")
        with open(recipe, encoding="utf-8") as file:
            self.recipe = file.read()
        self.environment = self._json("env.json")
        self.state = self._json("state.json")
        self.steps = self._steps()
        self.step, self.parameters, self.metadata = self._checkpoint(checkpoint)

    def _json(self, name):
        try:
            with open(os.path.join(self.path, name), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return {}

    def _steps(self):
        folder = os.path.join(self.path, "checkpoints")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        stems = [n[: -len(".safetensors")] for n in names if n.endswith(".safetensors")]
        return sorted(int(s) for s in stems if s.isdigit())

    def _checkpoint(self, which):
        if which == "best":
            best = self._json(os.path.join("checkpoints", "best.json"))
            if "step" not in best:
                raise MattisError(
                    f"{self.path} has no best checkpoint: a training keeps that of the measure "
                    f"that train.best names"
                )
            which = best["step"]
        elif which != "last" and str(which) not in map(str, self.steps):
            raise MattisError(
                f"{self.path} has no checkpoint of step {which}; there are the steps {self.steps}"
            )
        steps = self.steps[::-1] if which == "last" else [int(which)]
        for step in steps:
            try:
                arrays, metadata = read_safetensors(
                    os.path.join(self.path, "checkpoints", f"{step:08d}.safetensors")
                )
            except MattisError as err:
                if which != "last":
                    raise
                warnings.warn(f"damaged checkpoint passed over: {err}", MattisWarning, stacklevel=4)
                continue
            return step, arrays, metadata
        return None, {}, {}

    @property
    def metrics(self):
        """The measures in order: a pandas DataFrame where pandas is there, else a list of dicts."""
        rows = []
        path = os.path.join(self.path, "metrics.jsonl")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):  # a last one that is not whole is being written
                        rows.append(json.loads(line))
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(
            rows, columns=["step", "epoch", "seconds", "name", "split", "value", "stderr", "detail"]
        )

    @property
    def weights(self):
        """W of the spins, (V, H): E = -v W h - ..., of patterns their product (g/sqrt K) Xv^T
        Xh."""
        p = self.parameters
        if "weights" in p:
            return p["weights"]
        if "patterns.visible" not in p:
            raise MattisError(
                f"{self.path} holds no restricted machine: "
                f"{', '.join(sorted(p)) or 'no checkpoint'}"
            )
        gain = np.exp(p["log_gain"].astype(np.float64)) / np.sqrt(len(p["patterns.visible"]))
        return (gain * p["patterns.visible"].T.astype(np.float64) @ p["patterns.hidden"]).astype(
            np.float32
        )

    def bernoulli(self):
        """Return components_, intercept_hidden_ and intercept_visible_ of the same machine in 0/1
        variables."""
        w = self.weights.astype(np.float64)
        b = self.parameters.get("bias.visible", np.zeros(w.shape[0])).astype(np.float64)
        c = self.parameters.get("bias.hidden", np.zeros(w.shape[1])).astype(np.float64)
        c = c - self.parameters.get("offset.visible", np.zeros(w.shape[0])).astype(np.float64) @ w
        b = b - w @ self.parameters.get("offset.hidden", np.zeros(w.shape[1])).astype(np.float64)
        return 4 * w.T, 2 * (c - w.sum(axis=0)), 2 * (b - w.sum(axis=1))

    def __repr__(self):
        return f"Run({self.path!r}, step={self.step})"


def load_run(path, checkpoint="last"):
    """Return what is in a run directory, without the program: parameters as arrays, metrics as
    rows. checkpoint is a step, "best" or "last", the newest good one."""
    return Run(path, checkpoint)
