"""Which values become which spins, and what is said of others. No program is needed."""

import unittest
import warnings

import numpy as np
from common import mattis

from mattis import _spins


class Values(unittest.TestCase):
    def test_two_values_are_told_apart(self):
        want = np.array([[1, -1, 1], [-1, -1, 1]], np.int8)
        bits = (want > 0).astype(int)
        for dtype in (bool, np.int8, np.uint8, np.int64, np.float16, np.float32, np.float64):
            got = _spins.read(bits.astype(dtype))
            self.assertEqual((got.units, got.cut), (_spins.BITS, None), dtype)
            np.testing.assert_array_equal(got.spins, want)
        for dtype in (np.int8, np.int64, np.float16, np.float32, np.float64):
            got = _spins.read(want.astype(dtype))
            self.assertEqual((got.units, got.cut), (_spins.SPINS, None), dtype)
            np.testing.assert_array_equal(got.spins, want)
        for order in "CF":
            np.testing.assert_array_equal(
                _spins.read(np.asarray(bits, float, order=order)).spins, want
            )
            np.testing.assert_array_equal(
                _spins.read(np.asarray(bits, bool, order=order)).spins, want
            )
        np.testing.assert_array_equal(_spins.read(bits[:, ::-1].astype(bool)).spins, want[:, ::-1])
        np.testing.assert_array_equal(_spins.read(bits[:, ::2].astype(bool)).spins, want[:, ::2])

    def test_ones_alone_tell_no_convention(self):
        got = _spins.read(np.ones((2, 3)))
        self.assertIsNone(got.units)
        np.testing.assert_array_equal(got.spins, np.ones((2, 3)))

    def test_there_and_back(self):
        random = np.random.RandomState(0)
        for units, low in ((_spins.BITS, 0), (_spins.SPINS, -1)):
            for dtype in (np.int8, np.float32, np.float64):
                x = np.where(random.rand(7, 5) < 0.5, low, 1).astype(dtype)
                back = _spins.write(_spins.read(x).spins, units, dtype)
                self.assertEqual(back.dtype, dtype)
                np.testing.assert_array_equal(back, x)

    def test_blocks_are_one(self):
        x = (np.random.RandomState(0).rand(50, 7) < 0.5).astype(float)
        block, _spins.BLOCK = _spins.BLOCK, 21  # three rows at a time
        try:
            np.testing.assert_array_equal(_spins.read(x).spins, 2 * x - 1)
            x[40] = np.where(x[40] > 0, 1, -1)  # another convention in a later block
            with self.assertRaisesRegex(mattis.MattisValueError, "-1 and 0"):
                _spins.read(x)
        finally:
            _spins.BLOCK = block

    def test_greys_are_cut_at_half_of_white_with_a_warning(self):
        for x, cut in (([[0.0, 0.5, 0.6, 1.0]], 0.5), ([[0, 127, 128, 255]], 127.5)):
            with self.assertWarnsRegex(mattis.MattisWarning, f"binarize={cut}"):
                got = _spins.read(np.array(x))
            self.assertEqual(got.cut, cut)
            np.testing.assert_array_equal(got.spins, [[-1, -1, 1, 1]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(
                _spins.read(np.array([[0.1, 0.4]]), cut=0.3).spins, [[-1, 1]]
            )

    def test_white_of_whole_numbers(self):
        """scikit-learn's digits are 0 to 16: cut at 127.5 they would all be dark."""
        digits = np.arange(17.0).reshape(1, 17)
        with self.assertWarnsRegex(mattis.MattisWarning, "0 to 16: those above 8.0"):
            np.testing.assert_array_equal(_spins.read(digits).spins > 0, digits > 8)
        with self.assertWarnsRegex(mattis.MattisWarning, "0 to 255: those above 127.5"):
            _spins.read(np.array([[0, 128, 3]]))
        for few in ([[0, 2]], [[1, 2, 3, 4, 5]], [range(8)]):
            with self.assertRaisesRegex(mattis.MattisValueError, "X holds 2"):
                _spins.read(np.array(few))

    def test_what_is_no_number_is_refused(self):
        for x in (
            np.array([["2020-01-01"]], "M8[D]"),
            np.array([["0"]]),
            np.array([[1j]]),
            np.array([[{}]]),
        ):
            with self.assertRaisesRegex(mattis.MattisValueError, "want numbers|no number"):
                _spins.read(x)

    def test_other_values_are_refused_by_place(self):
        for x, words in (
            ([[0, 1], [3.2, 1]], r"X holds 3\.2 \(row 1, column 0"),
            ([[0, -1.7]], r"X holds -1\.7 \(row 0, column 1"),
            ([[0, 0.5, 2.5]], r"X holds 2\.5 .*binarize=VALUE"),
            ([[0, 256, 3]], r"X holds 256\.0 "),
            ([[-1, 0, 1]], "missing entry"),
            ([[-1, 0, 0]], "missing entry"),
        ):
            with self.assertRaisesRegex(mattis.MattisValueError, words):
                _spins.read(np.array(x, float))


if __name__ == "__main__":
    unittest.main()
