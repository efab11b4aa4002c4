"""The worker process: how it starts and ends, what becomes of forks, pickles and kills, and that
nothing hangs."""

import copy
import gc
import multiprocessing
import os
import pickle
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import numpy as np
from common import BINARY, mattis, needs_binary, rows, small

from mattis import _link, _worker

posix = unittest.skipUnless(os.name == "posix", "signals and forks are those of POSIX")


def children():
    """Return the worker processes of this process and their states, as Linux tells them."""
    found = {}
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/stat") as file:
                text = file.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid() and name.startswith("mattis"):
            found[int(pid)] = state
    return found


linux = unittest.skipUnless(os.path.isdir("/proc/self"), "processes are listed as on Linux")


def pid_of(machine):
    return machine._link.worker.process.pid


def ask_in_child(machine, x, queue):
    queue.put(
        (
            os.getpid(),
            pid_of(machine) if machine._link.worker else None,
            machine.transform(x),
            pid_of(machine),
        )
    )


def ask_pickled(data, x, queue):
    queue.put(pickle.loads(data).transform(x))


@needs_binary
class Life(unittest.TestCase):
    @linux
    def test_it_ends_with_the_object_and_leaves_no_zombie(self):
        gc.collect()
        before = set(children())
        m = small().fit(rows())
        pid = pid_of(m)
        self.assertIn(pid, children())
        m.fit(rows())  # goes on with the same one
        self.assertEqual(pid_of(m), pid)
        del m
        gc.collect()
        self.assertEqual(set(children()) - before, set())
        for _ in range(3):  # objects that fail, too
            with self.assertRaises(ValueError):
                small(settings={"train.batch": 0}).fit(rows())
        gc.collect()
        self.assertEqual(set(children()) - before, set())

    def test_it_ends_with_the_process_however_that_ends(self):
        script = textwrap.dedent(
            """
            import os, sys
            from common import rows, small
            m = small().fit(rows())
            print(m._link.worker.process.pid, flush=True)
            {end}
        """
        )
        for end in ("sys.exit(0)", "os._exit(1)", "raise ValueError", "os.kill(os.getpid(), 9)"):
            done = subprocess.run(
                [sys.executable, "-c", script.format(end=end)],
                cwd=os.path.dirname(os.path.abspath(__file__)),
                env=dict(os.environ, MATTIS=BINARY),
                capture_output=True,
                text=True,
                timeout=60,
            )
            pid = int(done.stdout)
            for _ in range(100):
                if not running(pid):
                    break
                time.sleep(0.05)
            self.assertFalse(running(pid), end)

    def test_clones_and_objects_that_only_hold_parameters_start_none(self):
        m = small()
        copy.deepcopy(m)
        pickle.dumps(m)
        self.assertNotIn("_link", vars(m))

    def test_threads(self):
        self.assertEqual(_link.share(3), 3)
        told = os.environ.get("OMP_NUM_THREADS")
        try:
            os.environ["OMP_NUM_THREADS"] = "1"
            self.assertEqual(_link.share(None), 1)
            m = small(threads=None).fit(rows())
            self.assertEqual(m._link.worker.threads, 1)
            os.environ["OMP_NUM_THREADS"] = "1000000"
            self.assertEqual(_link.share(None), _link.cores())
            del os.environ["OMP_NUM_THREADS"]
            self.assertEqual(_link.share(None), 0)
        finally:
            os.environ.pop("OMP_NUM_THREADS", None)
            if told is not None:
                os.environ["OMP_NUM_THREADS"] = told
        m.threads = 2
        x = m.transform(rows())
        self.assertEqual(m._link.worker.threads, 2)
        np.testing.assert_array_equal(x, small().fit(rows()).transform(rows()))


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        pass
    if os.path.isdir("/proc/self"):
        return False
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False


@needs_binary
class Copies(unittest.TestCase):
    def test_pickles_in_other_processes(self):
        x = rows()
        m = small().fit(x)
        m.partial_fit(x[:30])
        for method in set(multiprocessing.get_all_start_methods()) & {"spawn", "forkserver"}:
            context = multiprocessing.get_context(method)
            queue = context.Queue()
            child = context.Process(target=ask_pickled, args=(pickle.dumps(m), x, queue))
            child.start()
            got = queue.get(timeout=60)
            child.join()
            np.testing.assert_array_equal(got, m.transform(x))

    def test_copies_share_nothing(self):
        x = rows()
        m = small().fit(x)
        want = m.transform(x)
        for make in (copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))):
            other = make(m)
            np.testing.assert_array_equal(other.transform(x), want)
            other.partial_fit(x)
            other.set_params(random_state=9).fit(x)
            np.testing.assert_array_equal(m.transform(x), want)
        self.assertNotEqual(pid_of(other), pid_of(m))

    @posix
    def test_forks_have_workers_of_their_own(self):
        x = rows()
        m = small().fit(x)
        m.partial_fit(x[:40])  # what only the worker knows is fetched before the fork
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        worker = pid_of(m)
        processes = [context.Process(target=ask_in_child, args=(m, x, queue)) for _ in range(2)]
        for p in processes:
            p.start()
        answers = [queue.get(timeout=60) for _ in processes]
        for p in processes:
            p.join()
        np.testing.assert_array_equal(answers[0][2], m.transform(x))
        np.testing.assert_array_equal(answers[1][2], m.transform(x))
        self.assertEqual(len({a[3] for a in answers} | {worker}), 3)
        self.assertEqual({a[1] for a in answers}, {None})
        self.assertEqual(pid_of(m), worker)  # and the parent's goes on


@needs_binary
class Death(unittest.TestCase):
    @posix
    def test_a_fitted_object_outlives_its_worker(self):
        x = rows()
        m = small().fit(x)
        want = m.transform(x)
        os.kill(pid_of(m), signal.SIGKILL)
        time.sleep(0.1)
        np.testing.assert_array_equal(m.transform(x), want)

    @posix
    def test_updates_that_are_lost_are_told(self):
        x = rows()
        m = small().fit(x)
        want = m.transform(x)
        m.partial_fit(x)
        os.kill(pid_of(m), signal.SIGKILL)
        m._link.worker.process.wait()
        with self.assertRaisesRegex(mattis.MattisError, "updates of partial_fit"):
            m.transform(x)
        np.testing.assert_array_equal(m.transform(x), want)  # as it was before
        m = small().partial_fit(x)
        os.kill(pid_of(m), signal.SIGKILL)
        m._link.worker.process.wait()
        with self.assertRaisesRegex(mattis.MattisError, "it is not fitted"):
            m.transform(x)
        with self.assertRaisesRegex(Exception, "not fitted yet"):
            m.transform(x)
        m.fit(x)

    @posix
    def test_killed_while_it_trains(self):
        import threading

        m = small(n_components=200, n_iter=10**6)

        def kill():
            while m.__dict__.get("_link") is None or m._link.worker is None:
                time.sleep(0.01)
            time.sleep(0.3)
            os.kill(pid_of(m), signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        began = time.time()
        with self.assertRaisesRegex(mattis.WorkerDied, "SIGKILL"):
            m.fit(rows(5000, 100))
        thread.join()
        self.assertLess(time.time() - began, 30)
        self.assertFalse(hasattr(m, "components_"))
        m.set_params(n_iter=1).fit(rows())  # a new one is started

    @posix
    def test_programs_that_are_no_workers(self):
        greeting, _worker.GREETING = _worker.GREETING, 1.0
        odd = [
            ("exec cat", "not understood|answered request|no answer|protocol None"),
            ("exec sleep 60", "no answer within 1 s"),
            ("head -c 12 >/dev/null; echo hello there, stranger", "begins no frame"),
            ("echo 'no worker here' >&2; exit 3", "exit code 3: no worker here"),
            (
                "head -c 12 >/dev/null; printf 'MTW1\\377\\377\\377\\377'; sleep 9",
                "head has 4294967295 bytes",
            ),
            (
                "head -c 12 >/dev/null; printf 'MTW1\\002\\000\\000\\000[]'; sleep 9",
                "without a proper head",
            ),
            ("printf 'MT'", "exit code 0"),
            (
                "head -c 12 >/dev/null; "
                'printf \'MTW1\\070\\000\\000\\000{"id": 1, "event": "done", '
                '"protocol": 99, "bodies": []}\'; sleep 9',
                "protocol 99",
            ),
        ]
        try:
            with tempfile.TemporaryDirectory() as folder:
                for i, (script, words) in enumerate(odd):
                    path = os.path.join(folder, f"odd{i}")
                    with open(path, "w") as out:
                        out.write("#!/bin/sh\n" + script + "\n")
                    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
                    began = time.time()
                    with self.assertRaisesRegex(mattis.MattisError, words, msg=script) as caught:
                        small(binary=path).fit(rows())
                    self.assertIn(path, str(caught.exception))
                    self.assertLess(time.time() - began, 10, script)
        finally:
            _worker.GREETING = greeting

    def test_finding_the_program(self):
        with self.assertRaisesRegex(mattis.MattisError, "binary=/nowhere/mattis"):
            small(binary="/nowhere/mattis").fit(rows())
        saved = {k: os.environ.get(k) for k in ("MATTIS", "PATH")}
        try:
            os.environ["MATTIS"] = "/nowhere/else"
            with self.assertRaisesRegex(mattis.MattisError, r"\$MATTIS=/nowhere/else"):
                small().fit(rows())
            self.assertEqual(small(binary=BINARY).binary_path(), BINARY)
            del os.environ["MATTIS"]
            os.environ["PATH"] = ""
            inside = os.path.join(os.path.dirname(mattis.__file__), "bin", "mattis")
            if not os.path.exists(inside):
                with self.assertRaisesRegex(mattis.MattisError, "give binary=PATH, set"):
                    small().fit(rows())
                with tempfile.TemporaryDirectory() as folder:
                    os.symlink(BINARY, os.path.join(folder, "mattis"))
                    os.environ["PATH"] = folder
                    self.assertEqual(small().binary_path(), os.path.join(folder, "mattis"))
        finally:
            for k, v in saved.items():
                os.environ.pop(k, None)
                if v is not None:
                    os.environ[k] = v

    def test_large_requests_come_in_parts(self):
        x = rows(500, 12)
        m = small().fit(x)
        want = (m.transform(x), m.free_energy(x), m.score_samples(x, random_state=1))
        part, _link.PART = _link.PART, 12 * 128
        try:
            got = (m.transform(x), m.free_energy(x), m.score_samples(x, random_state=1))
            one = m.gibbs(np.zeros_like(x))
        finally:
            _link.PART = part
        for a, b in zip(got, want):
            np.testing.assert_array_equal(a, b)
        self.assertTrue((one[:128] != one[128:256]).any())  # another seed in each part


if __name__ == "__main__":
    unittest.main()
