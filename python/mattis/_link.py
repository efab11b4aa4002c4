"""The machine of one object: what is known of it here, and the worker that holds it."""

import multiprocessing
import os
import threading
import weakref

from . import _binary
from ._errors import MattisError, WorkerDied
from ._worker import Failed, Worker, array, raised

PART = 1 << 26  # bytes of rows, or of what comes of them, that go in one body

_links = weakref.WeakSet()


class Link:
    """A machine that is fitted, or that will be. Its state, a checkpoint as bytes, is kept here, so
    that a worker can be started anew with it: after a fork, in another process, and when the worker
    was lost."""

    def __init__(self, state=None):
        self.state = state  # {"recipe", "step", "file", "rows"} or None
        self.stale = False  # the worker knows of updates that the state does not
        self.worker = None
        self.held = None  # the state that the worker has
        self.cache = {}  # of what hangs on the parameters alone
        self.lock = threading.RLock()
        _links.add(self)

    def __getstate__(self):
        self.sync()
        return {"state": self.state}

    def __setstate__(self, kept):
        self.__init__(kept["state"])

    def start(self, binary, threads):
        """Return a running worker of the program; one of another program or other threads is
        ended."""
        path, threads = _binary.find(binary), share(threads)
        if self.worker is not None and not (
            self.worker.alive and self.worker.binary == path and self.worker.threads == threads
        ):
            if self.stale and self.worker.alive:
                self.sync()
            self.drop()
        if self.worker is None:
            if self.stale:
                raise self.lost()
            self.worker = Worker(path, threads)
        return self.worker

    def drop(self):
        """End the worker."""
        worker, self.worker, self.held = self.worker, None, None
        if worker is not None and worker.pid == os.getpid():
            worker.end()

    def lost(self):
        """Return the exception for updates that went with their worker, and forget them."""
        self.stale, self.cache = False, {}
        what = "it is as it was before" if self.state else "it is not fitted"
        return MattisError(
            f"the worker that held this machine is gone, with the updates of partial_fit since it "
            f"was last "
            f"saved or pickled: {what}"
        )

    def call(self, op, bodies=(), binary=None, threads=None, **fields):
        """Return the answer of the worker, which is started and given the machine where that is
        needed."""
        with self.lock:
            if op != "partial_fit":
                self.sync()  # what is interrupted or dies from here on loses nothing
            worker = self.start(binary, threads)
            try:
                if self.state is not None and not self.stale and self.held is not self.state:
                    s = self.state
                    rows = [] if s["rows"] is None else [("rows", s["rows"])]
                    worker.call(
                        "load", [("state", s["file"]), *rows], recipe=s["recipe"], step=s["step"]
                    )
                    self.held = s
                return worker.call(op, bodies, **fields)
            except Failed as err:
                if op == "partial_fit" and err.kind == "failed":
                    self.reset()
                raise raised(err) from None
            except BaseException as err:  # the worker has ended
                self.drop()
                if self.stale:
                    lost = self.lost()
                    if isinstance(err, WorkerDied):
                        raise type(err)(f"{err}; {lost}") from err
                raise

    def reset(self):
        """Forget the machine."""
        self.state, self.stale, self.held, self.cache = None, False, None, {}

    def fit(self, bodies, told, binary=None, threads=None, **fields):
        """Train in the worker and return the answer, whose stopped_by is what interrupted it, or
        None."""
        with self.lock:
            self.stale = False  # what was there gives way
            worker = self.start(binary, threads)
            self.reset()
            try:
                head, _ = worker.call("fit", bodies, told=told, **fields)
            except Failed as err:
                raise raised(err) from None
            except BaseException:
                self.drop()
                raise
            self.stale = True
            self.sync()
            return head

    def moved(self):
        """Note that the worker's machine is ahead of the state."""
        self.stale, self.cache = True, {}

    def sync(self):
        """Bring the state up to what the worker has."""
        with self.lock:
            if not self.stale:
                return
            if self.worker is None or not self.worker.alive:
                raise self.lost()
            try:
                head, bodies = self.worker.call("state")
            except Failed as err:
                raise raised(err) from None
            except BaseException:
                self.drop()
                raise
            rows = array(bodies[1]) if len(bodies) > 1 else None
            self.state = {
                "recipe": head["recipe"],
                "step": head["step"],
                "file": bodies[0],
                "rows": rows,
            }
            self.held, self.stale = self.state, False

    def over(self, op, spins, wide, beside=(), seed=None, **fields):
        """Yield the place of the first row and the array of each part of a request on rows, parted
        so that no frame is large. wide is the bytes of an answer's row; beside are pairs of a name
        and an array with as many rows; seed is that of what is drawn, which differs from part to
        part."""
        step = max(1, PART // max(1, spins.shape[1], wide))
        for k, first in enumerate(range(0, max(1, len(spins)), step)):
            if seed is not None:
                fields["seed"] = (seed + k * 0x9E3779B97F4A7C15) % (1 << 64)
            part = slice(first, first + step)
            bodies = [("rows", spins[part]), *((name, x[part]) for name, x in beside)]
            _, answer = self.call(op, bodies, **fields)
            yield part, array(answer[0])


def share(threads):
    """Return the threads that a worker of this process takes; 0 is one a core. joblib tells its
    worker processes their share of the cores by OMP_NUM_THREADS; in a process of another pool,
    whose size is not known, it is one."""
    if threads is not None:
        return int(threads)
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if told.isdigit() and int(told) > 0:
        return min(int(told), cores())
    return 1 if multiprocessing.current_process().daemon else 0


def cores():
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _before_fork():
    """A child has no worker: what its parent's has come to is fetched for it, unless that is at
    work."""
    for link in list(_links):
        if link.stale and link.lock.acquire(blocking=False):
            try:
                link.sync()
            except Exception:
                pass  # the child says what is lost when it is asked
            finally:
                link.lock.release()


def _after_fork():
    for link in list(_links):
        busy = not link.lock.acquire(blocking=False)
        link.lock = threading.RLock()
        if link.worker is not None:
            link.worker.abandon(busy)
            link.worker, link.held = None, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
