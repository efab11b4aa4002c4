"""RBM and logistic regression on MNIST: BernoulliRBM of scikit-learn beside mattis, in one process after another.

    MATTIS_DATA=DIR MATTIS=./mattis python3 python/bench/mnist.py --hidden 256
    python3 python/bench/mnist.py --layer          what the Python layer adds to mattis train

DIR/mnist holds the four IDX files. Seconds are those of fit; accuracy is on the 10000 test images, of a logistic
regression on what transform makes of the training images; the likelihood (nats an image, higher is better) is by
annealed importance sampling for all alike.
"""

import argparse
import gzip
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from mattis import BoltzmannMachine, _binary  # noqa: E402


def idx(name):
    """Return the array of an IDX file of bytes."""
    folder = os.path.join(os.environ.get("MATTIS_DATA", "data"), "mnist")
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
                data = file.read()
            shape = np.frombuffer(data, ">u4", data[3], 4)
            return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    sys.exit(f"{folder} has no {name}: set MATTIS_DATA")


def images(part, rows):
    x, y = idx(f"{part}-images-idx3-ubyte")[:rows], idx(f"{part}-labels-idx1-ubyte")[:rows]
    return (x.reshape(len(x), -1) > 127).astype(np.float32), y


def timed(fit):
    """Return what fit returns, and its seconds."""
    began = time.perf_counter()
    result = fit()
    return result, time.perf_counter() - began


def cpu():
    """Return the seconds of all processors that this process and its ended children have used."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def accuracy(rbm, train, test):
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regression = LogisticRegression(C=100, max_iter=150).fit(rbm.transform(train[0]), train[1])
    return regression.score(rbm.transform(test[0]), test[1])


def likelihood(machine, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return -machine.free_energy(rows).mean() - machine.log_partition(method="ais", options={"ais.runs": 64, "ais.betas": 1000})


def compare(hidden, rows, epochs, rates):
    from sklearn.neural_network import BernoulliRBM

    train, test = images("train", rows), images("t10k", 10000)
    print(f"MNIST, {rows} rows, H = {hidden}, {epochs} epochs, batch 10", flush=True)
    print(f"{'':34s}{'epochs':>7s}{'fit, s':>9s}{'accuracy':>10s}{'nats':>9s}", flush=True)

    def row(name, machine, n, seconds, own):
        print(f"{name:34s}{n:7d}{seconds:9.2f}{accuracy(machine, train, test):10.4f}{likelihood(own, test[0]):9.1f}", flush=True)

    slow = None
    for rate in rates:
        rbm, seconds = timed(lambda: BernoulliRBM(hidden, learning_rate=rate, batch_size=10, n_iter=epochs, random_state=0).fit(train[0]))
        slow = max(slow or 0, seconds)
        row(f"BernoulliRBM, rate {rate}", rbm, epochs, seconds, BoltzmannMachine.from_sklearn(rbm))
    for name, params in (("mattis, as it comes", {}), ("mattis, 10 chains", {"n_chains": 10}), ("mattis, axons K = 64", {"patterns": 64})):
        machine = BoltzmannMachine(hidden, n_iter=epochs, random_state=0, **params)
        machine, seconds = timed(lambda: machine.fit(train[0]))
        row(name, machine, epochs, seconds, machine)
        if not params:
            longer = max(epochs, int(epochs * slow / seconds))
            again = BoltzmannMachine(hidden, n_iter=longer, random_state=0)
            again, seconds = timed(lambda: again.fit(train[0]))
            row("mattis, the time of BernoulliRBM", again, longer, seconds, again)


def layer(hidden, rows, epochs, times):
    """Compare fit with mattis train of the same recipe on the same rows, in turn; both begin with a program to start."""
    x, _ = images("train", rows)
    with tempfile.TemporaryDirectory() as folder:
        machine = BoltzmannMachine(hidden, n_iter=epochs, random_state=0).fit(x[:1000])
        with open(os.path.join(folder, "r.yaml"), "w") as out:
            out.write(machine.recipe_)
        np.save(os.path.join(folder, "x.npy"), (2 * x - 1).astype(np.int8))
        spent = {"mattis train": [], "fit": []}
        for i in range(times):
            command = [_binary.find(), "train", "r.yaml", "--run", f"run{i}", "--set", "data={name: npy, path: x.npy}"]
            before = cpu()
            _, wall = timed(lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True))
            spent["mattis train"].append((wall, cpu() - before))
            before = cpu()
            machine, wall = timed(lambda: BoltzmannMachine(hidden, n_iter=epochs, random_state=0).fit(x))
            del machine  # and with it its worker, whose time counts then
            spent["fit"].append((wall, cpu() - before))
    print(f"{rows} rows, H = {hidden}, {epochs} epochs, {times} times in turn")
    base = np.array(spent["mattis train"])
    for name, some in spent.items():
        some = np.array(some)
        least, more = some.min(axis=0), 100 * (some.min(axis=0) / base.min(axis=0) - 1)
        print(f"{name:14s} wall: least {least[0]:.2f} s ({more[0]:+.1f} %), median {np.median(some[:, 0]):.2f} s"
              f"   processors: least {least[1]:.2f} s ({more[1]:+.1f} %)", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--hidden", type=int, default=256)
    p.add_argument("--rows", type=int, default=10000)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--rates", type=float, nargs="*", default=[0.1, 0.01], help="of BernoulliRBM")
    p.add_argument("--layer", action="store_true")
    p.add_argument("--times", type=int, default=5)
    a = p.parse_args()
    if a.layer:
        layer(a.hidden, a.rows, a.epochs, a.times)
    else:
        compare(a.hidden, a.rows, a.epochs, a.rates)


if __name__ == "__main__":
    main()
