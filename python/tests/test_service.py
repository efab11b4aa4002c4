"""url=: the same methods over HTTP. The service here answers by the promises of mattis serve, with
a machine behind it."""

import http.server
import io
import json
import pickle
import threading
import unittest

import numpy as np
from common import mattis, needs_binary, rows, small

from mattis import BoltzmannMachine, _link, _service
from mattis._worker import array

CONSTANT = 5.0  # between the energies of spins and those of 0/1 variables


class Handler(http.server.BaseHTTPRequestHandler):
    machine, as_npy, busy, seen = None, True, 0, None

    def log_message(self, *args):
        pass

    def do_POST(self):
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cls = type(self)
        cls.seen.append((self.path, fields, dict(self.headers)))
        if self.headers["Authorization"] != "Bearer secret":
            return self.answer(
                401,
                {"title": "Unauthorized", "detail": "the token is not that of the service"},
                "application/problem+json",
            )
        if cls.busy:
            cls.busy -= 1
            return self.answer(
                429, {"title": "queue full"}, "application/problem+json", {"Retry-After": "0"}
            )
        what = self.path.rsplit("/", 1)[1]
        link = cls.machine._link
        x = np.array(fields.get("rows", []), np.int8)
        if len(x) and x.shape[1] != 12:
            return self.answer(
                422,
                {
                    "detail": "validation failed",
                    "errors": [
                        {
                            "location": "body.rows",
                            "message": f"rows of {x.shape[1]} values, the machine has 12",
                        }
                    ],
                },
                "application/problem+json",
            )
        if what == "features":
            return self.array("hidden", array(link.call("transform", [("rows", x)])[1][0]))
        if what == "score":
            return self.array(
                "free_energy", array(link.call("free_energy", [("rows", x)])[1][0]) + CONSTANT
            )
        if what == "logz":
            return self.answer(
                200,
                {
                    "value": cls.machine.log_partition() - CONSTANT,
                    "stderr": 0,
                    "detail": {"method": "enumeration"},
                },
            )
        if what == "sample":
            del fields["sampler"]
            return self.array("rows", array(link.call("sample", **fields)[1][0]))
        if what == "reconstruct":
            a, b = map(int, fields["known"].removeprefix("spins:").split("-"))
            x[:, : a - 1], x[:, b:] = 0, 0
            return self.array(
                "rows",
                array(
                    link.call(
                        "reconstruct", [("rows", x)], steps=fields["steps"], seed=fields["seed"]
                    )[1][0]
                ),
            )
        return self.answer(404, {"detail": "nothing here"}, "application/problem+json")

    def array(self, key, values):
        if type(self).as_npy and "application/x-npy" in self.headers["Accept"]:
            out = io.BytesIO()
            np.save(out, values)
            return self.answer(200, out.getvalue(), "application/x-npy")
        return self.answer(200, {key: values.tolist(), "step": 1})

    def answer(self, code, body, kind="application/json", more=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@needs_binary
class Url(unittest.TestCase):
    def setUp(self):
        Handler.machine, Handler.as_npy, Handler.busy, Handler.seen = (
            small().fit(rows()),
            True,
            0,
            [],
        )
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/runs/one"

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def test_it_is_the_machine_behind_it(self):
        x, here = rows(), Handler.machine
        for npy in (True, False):
            Handler.as_npy = npy
            m = pickle.loads(
                pickle.dumps(BoltzmannMachine(url=self.url + "/", token="secret\n", random_state=0))
            )
            np.testing.assert_allclose(m.transform(x), here.transform(x), atol=1e-6)
            np.testing.assert_allclose(m.free_energy(x), here.free_energy(x) + CONSTANT, atol=1e-9)
            self.assertAlmostEqual(m.score(x), here.score(x), places=8)
            np.testing.assert_allclose(
                m.score_samples(x, random_state=1), here.score_samples(x, random_state=1), atol=1e-6
            )
            np.testing.assert_array_equal(
                m.sample(7, random_state=3), here.sample(7, random_state=3)
            )
            np.testing.assert_array_equal(
                m.reconstruct(x, known=slice(3, 8), random_state=3),
                here.reconstruct(x, known=slice(3, 8), random_state=3),
            )
        path, fields, headers = Handler.seen[0]
        self.assertEqual(
            (path, list(fields), headers["Content-Type"]),
            ("/v1/runs/one/features", ["rows"], "application/json"),
        )

    def test_parts(self):
        x = rows()
        m = BoltzmannMachine(5, url=self.url, token="secret")
        part, _service.PART = _service.PART, 16 * 20 * 64
        try:
            np.testing.assert_allclose(m.transform(x), Handler.machine.transform(x), atol=1e-6)
        finally:
            _service.PART = part
        self.assertGreater(len(Handler.seen), 3)
        self.assertEqual(_link.PART, part)

    def test_refusals(self):
        x = rows()
        m = BoltzmannMachine(url=self.url, token="secret")
        with self.assertRaisesRegex(mattis.MattisValueError, "body.rows rows of 11 values.*422"):
            m.transform(x[:, :11])
        with self.assertRaisesRegex(mattis.MattisError, "token is not that.*401"):
            BoltzmannMachine(url=self.url, token="other").transform(x)
        Handler.busy = 2
        m.transform(x)  # it waits for its turn
        Handler.busy = 100
        with self.assertRaisesRegex(mattis.MattisError, "queue full.*429"):
            m.transform(x)
        Handler.busy = 0
        for wrong, words in (
            (lambda: m.fit(x), "trained"),
            (lambda: m.partial_fit(x), "trained"),
            (lambda: m.gibbs(x), "gibbs: a service"),
            (lambda: m.components_, "parameters: a service"),
            (lambda: m.log_partition(method="ais"), "takes its own"),
            (lambda: m.reconstruct(x, known=[0, 5]), "one span"),
            (lambda: m.sample(2, start=x), "no rows to start"),
        ):
            with self.assertRaisesRegex(mattis.MattisError, words):
                wrong()
        with self.assertRaisesRegex(mattis.MattisError, "http://127.0.0.1:1/v1.*refused"):
            BoltzmannMachine(url="http://127.0.0.1:1/v1/runs/x").transform(x)


if __name__ == "__main__":
    unittest.main()
