"""url=: the same methods over HTTP. The service here answers by the promises of mattis serve, with
a machine behind it."""

import http.server
import io
import json
import os
import pickle
import subprocess
import tempfile
import threading
import unittest

import numpy as np
from common import BINARY, mattis, needs_binary, rows, small

from mattis import BoltzmannMachine, _link, _service
from mattis._worker import array

CONSTANT = 5.0  # between the energies of spins and those of 0/1 variables


class Handler(http.server.BaseHTTPRequestHandler):
    machine, as_npy, busy, seen, most = None, True, 0, None, 1000

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer(
            200, {"layers": [{"size": 12}, {"size": 5}], "limits": {"rows": type(self).most}}
        )

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
        x = np.array([[y or 0 for y in row] for row in fields.get("rows", [])], np.int8)
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
        Handler.most, Handler.seen = 30, []
        try:
            m = BoltzmannMachine(5, url=self.url, token="secret")
            np.testing.assert_allclose(
                m.free_energy(x), Handler.machine.free_energy(x) + CONSTANT, atol=1e-9
            )
        finally:
            Handler.most = 1000
        self.assertEqual(len(Handler.seen), 7)

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
            (lambda: m.sample(2, start=x), "no rows to start"),
        ):
            with self.assertRaisesRegex(mattis.MattisError, words):
                wrong()
        with self.assertRaisesRegex(mattis.MattisError, "http://127.0.0.1:1/v1.*refused"):
            BoltzmannMachine(url="http://127.0.0.1:1/v1/runs/x").transform(x)


@needs_binary
class Real(unittest.TestCase):
    """mattis serve itself over the run directory of an estimator: the numbers are those of the
    estimator, to the last bit where rows are drawn or looked at."""

    def serve(self, folder, *options):
        process = subprocess.Popen(
            [BINARY, "serve", folder, "--address", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        address = process.stdout.readline().strip()
        return process, f"{address}v1/runs/{os.path.basename(folder)}"

    def test_it_is_the_machine_of_the_run(self):
        with tempfile.TemporaryDirectory() as folder:
            for image, name in ((None, "plain"), ((3, 4), "images")):
                x, run = rows(), os.path.join(folder, name)
                here = small(run_dir=run, image_shape=image).fit(x)
                token = os.path.join(folder, "token")
                with open(os.open(token, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                    file.write("0123456789abcdef\n")
                process, url = self.serve(run, "--token-file", token)
                with self.assertRaisesRegex(mattis.MattisError, "token file.*401"):
                    BoltzmannMachine(url=url).transform(x)
                m = BoltzmannMachine(url=url, token="0123456789abcdef")
                np.testing.assert_array_equal(m.transform(x), here.transform(x))
                constant = m.free_energy(x)[0] - here.free_energy(x)[0]
                np.testing.assert_allclose(
                    m.free_energy(x), here.free_energy(x) + constant, rtol=0, atol=1e-9
                )
                self.assertAlmostEqual(m.score(x), here.score(x), places=8)
                np.testing.assert_allclose(
                    m.score_samples(x, random_state=1),
                    here.score_samples(x, random_state=1),
                    atol=1e-9,
                )
                for sampler in ("gibbs", "tempering"):
                    np.testing.assert_array_equal(
                        m.sample(7, steps=20, sampler=sampler, random_state=3),
                        here.sample(7, steps=20, sampler=sampler, random_state=3),
                    )
                for known in (slice(3, 8), [0, 5], [1]):
                    np.testing.assert_array_equal(
                        m.reconstruct(x, known=known, random_state=3),
                        here.reconstruct(x, known=known, random_state=3),
                    )
                np.testing.assert_array_equal(m.reconstruct(x), x)
                with self.assertRaisesRegex(mattis.MattisValueError, "rows.*11 values.*422"):
                    m.transform(x[:, :11])
                process.terminate()
                self.assertEqual(process.wait(), 0)


if __name__ == "__main__":
    unittest.main()
