"""Folders that nobody is to find afterwards."""

import os
import shutil
import tempfile
import weakref


class Scratch:
    """A folder that is removed with this object, and at the latest with this process."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="mattis-")
        self.remove = weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path, pid):
    if os.getpid() == pid:  # no child's business
        shutil.rmtree(path, ignore_errors=True)
