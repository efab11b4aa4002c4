"""Where the mattis program is."""

import importlib.metadata
import os
import shutil
import sys

from ._errors import MattisError


def _installed(name):
    """Return the program that the wheel of this package put among Python's scripts; None where
    there is none, or where this package is not the one that is installed."""
    try:
        wheel = importlib.metadata.distribution("mattis")
    except importlib.metadata.PackageNotFoundError:
        return None
    here = os.path.realpath(__file__)
    if os.path.realpath(wheel.locate_file("mattis/_binary.py")) != here:
        return None
    for file in wheel.files or ():
        path = os.path.abspath(file.locate())
        if file.name == name and os.access(path, os.X_OK):
            return path
    return None


def find(binary=None):
    """Return the path of the mattis program: the argument, $MATTIS, the one that was installed
    with the package, or the one on PATH, in this order. What is named explicitly has to be
    there."""
    for source, path in (("binary", binary), ("$MATTIS", os.environ.get("MATTIS"))):
        if not path:
            continue
        found = shutil.which(os.path.expanduser(os.fspath(path)))
        if found is None:
            raise MattisError(f"{source}={path}: there is no program of that name that can be run")
        return os.path.abspath(found)
    name = "mattis.exe" if sys.platform == "win32" else "mattis"
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", name)
    if os.access(inside, os.X_OK):
        return inside
    beside = _installed(name)
    if beside:
        return beside
    found = shutil.which("mattis")
    if found is None:
        raise MattisError(
            "the mattis program is not found: give binary=PATH, set $MATTIS to its path, or put it "
            "on PATH (go build -o mattis ./cmd/mattis in the source makes it)"
        )
    return os.path.abspath(found)
