"""A mattis worker process and the frames that go to and fro: a JSON head and npy bodies."""

import io
import itertools
import json
import os
import queue
import signal
import struct
import subprocess
import tempfile
import threading
import weakref

import numpy as np

from ._errors import MattisError, MattisMemoryError, MattisValueError, WorkerDied

MAGIC = b"MTW1"
PROTOCOL = 1
MOST_HEAD = 1 << 20
MOST_BODY = 1 << 30
GREETING = 60.0  # seconds that a worker has to say hello


class Failed(Exception):
    """An answer that is an error: its kind and message. Callers see what `raised` makes of it."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def raised(failed):
    """Return the exception that users see for an error of the worker."""
    kinds = {"value": MattisValueError, "memory": MattisMemoryError}
    return kinds.get(failed.kind, MattisError)(str(failed))


def npy(array):
    """Return the array as the parts of an npy body: header and bytes, without a copy."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), memoryview(array).cast("B") if array.size else b""]


def array(body):
    """Return the read-only array of an npy body; an array is one already."""
    if isinstance(body, np.ndarray):
        return body
    head = io.BytesIO(body)
    if np.lib.format.read_magic(head) != (1, 0):
        raise MattisError("an npy of another version than 1.0 was sent")
    shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(body, dtype, count, head.tell()).reshape(shape)


class Worker:
    """One worker process. It ends with this object, and at the latest with this process."""

    def __init__(self, binary, threads=0):
        self.binary, self.threads, self.pid = binary, threads, os.getpid()
        self.stderr = tempfile.TemporaryFile()
        self.numbers = itertools.count(1)
        group = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if os.name == "nt"
            else {"start_new_session": True}  # a Ctrl-C is for this process, which passes it on
        )
        try:
            self.process = subprocess.Popen(
                [binary, "worker", "--threads", str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                **group,
            )
        except OSError as err:
            self.stderr.close()
            raise MattisError(f"{binary}: {err.strerror or err}") from err
        self.end = weakref.finalize(self, _end, self.process, self.stderr, self.pid)
        self._greet()

    def _greet(self):
        late = threading.Event()

        def give_up():
            late.set()
            self.process.kill()

        timer = threading.Timer(GREETING, give_up)
        timer.daemon = True
        timer.start()
        try:
            hello, _ = self.call("hello")
        except (MattisError, Failed) as err:
            why = (
                f"no answer within {GREETING:.0f} s"
                if late.is_set() and isinstance(err, WorkerDied)
                else str(err)
            )
            self.end()
            raise MattisError(
                f"{self.binary} is no mattis program that Python can talk to: {why}"
            ) from err
        finally:
            timer.cancel()
        if hello.get("protocol") != PROTOCOL:
            self.end()
            raise MattisError(
                f"{self.binary} speaks protocol {hello.get('protocol')}, this package {PROTOCOL}: "
                "install both of one version"
            )
        self.version = hello.get("version")

    def call(self, op, bodies=(), told=None, **fields):
        """Send a request and return the head and the bodies of its answer. bodies are pairs of a
        name and an array or bytes; told is called with each event on the way, in this thread.

        An exception while it is answered, such as KeyboardInterrupt, asks a request that has events
        to stop, and is raised once it has; any other ends the worker."""
        number = next(self.numbers)
        try:
            self._send(number, op, bodies, fields)
            if told is None:
                return self._answer(number, None)
        except Failed:
            raise
        except BaseException:
            self.end()
            raise
        return self._followed(number, told)

    def _followed(self, number, told):
        """Return the answer of a request that has events. They are read in a thread of their own,
        so that no interrupt falls into the middle of a frame."""
        events = queue.Queue()

        def pump():
            try:
                events.put(
                    ("answer", self._answer(number, lambda head: events.put(("event", head))))
                )
            except BaseException as err:
                events.put(("error", err))

        threading.Thread(target=pump, daemon=True, name="mattis-worker").start()
        stopped = None
        while True:
            try:
                kind, what = events.get(timeout=1.0)
                if kind == "event" and stopped is None:
                    told(what)
            except queue.Empty:
                continue
            except BaseException as err:
                if stopped is not None:  # asked twice
                    self.end()
                    raise
                stopped = err
                self._write(self._frame(number, "stop", [], {}))
                continue
            if kind == "answer":
                head, bodies = what
                head["stopped_by"] = stopped
                return head, bodies
            if kind == "error":
                if not isinstance(what, Failed):
                    self.end()
                if stopped is not None:
                    raise stopped
                raise what

    def _frame(self, number, op, bodies, fields):
        names, parts = [], []
        for name, body in bodies:
            names.append(name)
            parts.append([body] if isinstance(body, (bytes, memoryview)) else npy(body))
        lengths = [sum(len(p) for p in some) for some in parts]
        head = json.dumps(dict(fields, id=number, op=op, names=names, bodies=lengths)).encode()
        if len(head) > MOST_HEAD:
            raise MattisValueError(
                f"{op}: the request's head has {len(head)} bytes, more than {MOST_HEAD}"
            )
        yield MAGIC + struct.pack("<I", len(head)) + head
        for some in parts:
            yield from some

    def _send(self, number, op, bodies, fields):
        self._write(self._frame(number, op, bodies, fields))

    def _write(self, parts):
        try:
            for part in parts:
                self.process.stdin.write(part)
            self.process.stdin.flush()
        except (OSError, ValueError) as err:
            raise self._died() from err

    def _answer(self, number, told):
        while True:
            head, bodies = self._read()
            if head.get("id") != number:
                raise MattisError(f"the worker answered request {head.get('id')}, not {number}")
            event = head.get("event")
            if event == "done":
                return head, bodies
            if event == "error":
                raise Failed(head.get("kind"), head.get("message", "an error without words"))
            if told is not None:
                told(head)

    def _read(self):
        fixed = self._exactly(8)
        if fixed[:4] != MAGIC:
            raise MattisError(f"the worker sent {fixed!r}, which begins no frame")
        (size,) = struct.unpack("<I", fixed[4:])
        if size > MOST_HEAD:
            raise MattisError(f"the worker sent a frame whose head has {size} bytes")
        try:
            head = json.loads(self._exactly(size))
            lengths = head["bodies"]
        except (ValueError, KeyError, TypeError) as err:
            raise MattisError("the worker sent a frame without a proper head") from err
        if any(not isinstance(n, int) or not 0 <= n <= MOST_BODY for n in lengths):
            raise MattisError(f"the worker sent a frame with bodies of {lengths} bytes")
        return head, [self._exactly(n) for n in lengths]

    def _exactly(self, n):
        try:
            data = self.process.stdout.read(n)
        except (OSError, ValueError) as err:
            raise self._died() from err
        if len(data) < n:
            raise self._died()
        return data

    def _died(self):
        """Return the exception for a worker that has gone, with what it said last."""
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        how = f"ended with exit code {code}"
        if code < 0:
            try:
                how = f"was ended by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was ended by signal {-code}"
        said = ""
        if not self.stderr.closed:
            end = self.stderr.seek(0, os.SEEK_END)
            self.stderr.seek(max(0, end - 4096))
            said = self.stderr.read().decode(errors="replace").strip()
        return WorkerDied(f"the mattis worker {how}" + (f": {said}" if said else ""))

    @property
    def alive(self):
        return self.end.alive and self.pid == os.getpid() and self.process.poll() is None

    def abandon(self, busy):
        """Let go of a worker that belongs to the process this one was forked from. Where a thread
        of that was in the midst of a frame, nobody here frees what it holds."""
        self.end.detach()
        nothing = os.open(os.devnull, os.O_RDWR)
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                os.dup2(nothing, pipe.fileno())  # the worker sees its input end with its owner's
                if not busy:
                    pipe.close()
            except (OSError, ValueError):
                pass
        os.close(nothing)
        self.stderr.close()
        self.process.returncode = 0


def _end(process, stderr, pid):
    """End a worker: it goes when its input ends."""
    if os.getpid() != pid:
        return
    try:
        process.stdin.close()
    except OSError:
        pass
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    stderr.close()
