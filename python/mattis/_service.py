"""A machine behind mattis serve: what a Link is to a worker, over HTTP."""

import json
import time
import urllib.error
import urllib.request

import numpy as np

from ._errors import MattisError, MattisMemoryError, MattisValueError
from ._link import PART
from ._worker import array

TIMEOUT = 600.0  # seconds that an answer may take
TRIES = 5  # where the queue of the service is full


class Service:
    """The machine at a URL such as http://127.0.0.1:8080/v1/runs/NAME, whose token is the content
    of the service's token file."""

    state, stale = None, False

    def __init__(self, url, token=None):
        self.url, self.token, self.cache = url.rstrip("/"), token, {}
        self.about = None  # what the service says of the machine

    def call(self, op, bodies=(), binary=None, threads=None, **fields):
        """Return the head and the bodies of an answer as Link.call does, of what a service can be
        asked."""
        if op == "sample":
            if bodies:
                raise MattisError(
                    "start: a service takes no rows to start from, want random, patterns or data"
                )
            fields["chains"] = fields["chains"] or fields["count"]
            return {}, [self._post("sample", "rows", **fields)]
        if op == "log_partition":
            if fields["measure"] != "logz" or fields["settings"]:
                raise MattisError("method and options: a service takes its own")
            head = self._post("logz", None, **({"seed": fields["seed"]} if fields["seed"] else {}))
            return {
                "value": head["value"],
                "stderr": head.get("stderr"),
                "warnings": (head.get("detail") or {}).get("warnings"),
            }, []
        raise MattisError(
            f"{op}: a service does not give that; {self.url} is asked for hidden variables, "
            f"energies, log Z, samples and reconstructions"
        )

    def over(self, op, spins, wide, beside=(), seed=None, binary=None, threads=None, **fields):
        """Yield the place and the array of each part of the rows, as Link.over does."""
        if op not in ("transform", "free_energy", "score_samples", "reconstruct"):
            self.call(op)
        if self.about is None:
            self.about = self._ask("", None)
        if op == "transform":
            wide = 4 * max([layer["size"] for layer in self.about["layers"][1:]], default=0)
        step = min(
            PART // 16 // max(1, spins.shape[1], wide), self.about["limits"]["rows"]
        )  # as text, a spin is up to four bytes and a number twenty
        step = max(1, step)
        for k, first in enumerate(range(0, max(1, len(spins)), step)):
            part = slice(first, first + step)
            rows = spins[part]
            if not len(rows):
                yield part, np.empty((0, wide // 4) if op == "transform" else rows.shape, np.int8)
            elif op == "transform":
                yield part, self._post("features", "hidden", rows=rows.tolist())
            elif op == "free_energy":
                yield part, self._post("score", "free_energy", rows=rows.tolist())
            elif op == "score_samples":
                flips = dict(beside)["flips"][part]
                other = rows.copy()
                other[np.arange(len(rows)), flips] *= -1
                f, g = (self._post("score", "free_energy", rows=x.tolist()) for x in (rows, other))
                yield part, -rows.shape[1] * np.logaddexp(0, f - g)
            elif (rows != 0).all():
                yield part, rows  # nothing is to be drawn
            else:
                fields["seed"] = (seed + k * 0x9E3779B97F4A7C15) % (1 << 64)
                known = [[int(x) or None for x in row] for row in rows]
                yield part, self._post("reconstruct", "rows", rows=known, **fields)

    def _post(self, what, key, **fields):
        return self._ask(f"/{what}", key, json.dumps(fields).encode())

    def _ask(self, what, key, body=None):
        """Return the array under a key of an answer, or the whole answer without one."""
        accept = "application/json" if key is None else "application/x-npy, application/json;q=0.5"
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token.strip()}"
        request = urllib.request.Request(f"{self.url}{what}", body, headers)
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                    kind, body = answer.headers.get_content_type(), answer.read()
                break
            except urllib.error.HTTPError as err:
                wait = err.headers.get("Retry-After", "1")
                if err.code == 429 and left:
                    time.sleep(min(float(wait) if wait.isdigit() else 1.0, 60.0))
                    continue
                raise self._problem(err) from None
            except (urllib.error.URLError, OSError) as err:
                raise MattisError(f"{self.url}: {getattr(err, 'reason', err)}") from err
        try:
            if kind == "application/x-npy":
                found = array(body)
                return found.reshape(len(found), -1) if key == "rows" else found  # of images too
            answer = json.loads(body)
            if key is None:
                return answer
            return np.asarray(answer[key], np.int8 if key == "rows" else None)
        except (ValueError, KeyError, TypeError) as err:
            raise MattisError(f"{self.url}{what}: the answer is {kind} without {key}") from err

    def _problem(self, err):
        """Return the exception for a refusal: the words of its problem+json, and whose fault it
        is."""
        try:
            problem = json.loads(err.read())
            text = str(problem.get("detail") or problem.get("title") or err.reason)
            for e in problem.get("errors") or []:
                if e.get("message", "") not in text:
                    text += f"; {e.get('location', '')} {e.get('message', '')}".rstrip()
        except (ValueError, AttributeError):
            text = str(err.reason)
        kind = {400: MattisValueError, 413: MattisMemoryError, 422: MattisValueError}.get(
            err.code, MattisError
        )
        return kind(f"{self.url}: {text} (HTTP {err.code})")

