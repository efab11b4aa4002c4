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
        step = max(
            1, PART // 16 // max(1, spins.shape[1], wide)
        )  # as text, a spin is up to three bytes and a number twenty
        for k, first in enumerate(range(0, max(1, len(spins)), step)):
            part = slice(first, first + step)
            rows = spins[part]
            if op == "transform":
                yield part, self._post("features", "hidden", rows=rows)
            elif op == "free_energy":
                yield part, self._post("score", "free_energy", rows=rows)
            elif op == "score_samples":
                flips = dict(beside)["flips"][part]
                other = rows.copy()
                other[np.arange(len(rows)), flips] *= -1
                f, g = (self._post("score", "free_energy", rows=x) for x in (rows, other))
                yield part, -rows.shape[1] * np.logaddexp(0, f - g)
            elif op == "reconstruct":
                fields["seed"] = (seed + k) % (1 << 64)
                yield part, self._post(
                    "reconstruct",
                    "rows",
                    rows=np.where(rows == 0, -1, rows),
                    known=_span(rows),
                    **fields,
                )
            else:
                self.call(op)

    def _post(self, what, key, rows=None, **fields):
        if rows is not None:
            fields["rows"] = rows.tolist()
        accept = "application/json" if key is None else "application/x-npy, application/json;q=0.5"
        headers = {"Content-Type": "application/json", "Accept": accept}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token.strip()}"
        request = urllib.request.Request(f"{self.url}/{what}", json.dumps(fields).encode(), headers)
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
        if kind == "application/x-npy" and key is not None:
            return array(body)
        try:
            answer = json.loads(body)
            return (
                answer
                if key is None
                else np.asarray(answer[key], np.int8 if key == "rows" else None)
            )
        except (ValueError, KeyError, TypeError) as err:
            raise MattisError(f"{self.url}/{what}: the answer is {kind} without {key}") from err

    def _problem(self, err):
        """Return the exception for a refusal: the words of its problem+json, and whose fault it
        is."""
        try:
            problem = json.loads(err.read())
            text = str(problem.get("detail") or problem.get("title") or err.reason)
            for e in problem.get("errors") or []:
                text += f"; {e.get('location', '')} {e.get('message', '')}".rstrip()
        except (ValueError, AttributeError):
            text = str(err.reason)
        kind = {400: MattisValueError, 413: MattisMemoryError, 422: MattisValueError}.get(
            err.code, MattisError
        )
        return kind(f"{self.url}: {text} (HTTP {err.code})")


def _span(rows):
    """Return the known spins in the words of mattis reconstruct; they have to be the same of all
    rows, and lie together."""
    known = rows != 0
    places = np.flatnonzero(known[0]) if len(known) else np.array([], int)
    if not len(places) or (known != known[0]).any() or places[-1] - places[0] + 1 != len(places):
        raise MattisError("known: a service takes one span of known features, the same of all rows")
    return f"spins:{places[0] + 1}-{places[-1] + 1}"
