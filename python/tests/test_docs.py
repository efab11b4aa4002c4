"""The cells of docs/python.md run, one after another, and do what they say."""

import os
import re
import tempfile
import unittest
import warnings

from common import needs_binary

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "python.md")


@unittest.skipUnless(os.path.exists(PAGE), "the tests are not in the source's tree")
class Cells(unittest.TestCase):
    @needs_binary
    def test_cells(self):
        with open(PAGE, encoding="utf-8") as file:
            text = file.read()
        cells = [
            (text[: m.start()].count("\n") + 2, m.group(1))
            for m in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
        ]
        self.assertGreater(len(cells), 8)
        space, here = {}, os.getcwd()
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", module="sklearn|joblib|numpy|pandas")
            os.chdir(folder)
            try:
                for line, cell in cells:
                    # The line of the page is that of a traceback.
                    exec(compile("\n" * (line - 1) + cell, PAGE, "exec"), space)
            finally:
                os.chdir(here)


if __name__ == "__main__":
    unittest.main()
