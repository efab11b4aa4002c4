"""Machines that go to files and come from there."""

import os
import tempfile
import unittest

import numpy as np
from common import needs_binary, rows, small

from mattis import BoltzmannMachine, MattisValueError


@needs_binary
class Files(unittest.TestCase):
    def test_files(self):
        m, x = small(patterns=3).fit(rows()), rows()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.safetensors")
            m.save(path)
            back = BoltzmannMachine.load(path)
            np.testing.assert_allclose(back.free_energy(x), m.free_energy(x), rtol=1e-6)
            with open(path, "wb") as file:
                file.write(b"nonsense")
            with self.assertRaisesRegex(MattisValueError, "m.safetensors"):
                BoltzmannMachine.load(path)


if __name__ == "__main__":
    unittest.main()
