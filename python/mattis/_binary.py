"""Where the mattis program is."""

import os
import shutil
import sys

from ._errors import MattisError


def find(binary=None):
    """Return the path of the mattis program: the argument, $MATTIS, the one inside the installed
    package, or the one on PATH, in this order. What is named explicitly has to be there."""
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
    found = shutil.which("mattis")
    if found is None:
        raise MattisError(
            "the mattis program is not found: give binary=PATH, set $MATTIS to its path, or put it "
            "on PATH (go build -o mattis ./cmd/mattis in the source makes it)"
        )
    return os.path.abspath(found)
