"""RBM and logistic regression on MNIST: BernoulliRBM of scikit-learn beside mattis, in one process
after another.

    MATTIS_DATA=DIR MATTIS=./mattis python3 python/bench/mnist.py --hidden 256
    python3 python/bench/mnist.py --seconds        of fit alone, with one thread and with all
    python3 python/bench/mnist.py --layer          what the Python layer adds to mattis train

DIR/mnist holds the four IDX files. Seconds are those of fit; accuracy is on the 10000 test images,
of a logistic regression on what transform makes of the training images; the likelihood (nats an
image, higher is better) is by annealed importance sampling for all alike. """

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
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(
        resource.RUSAGE_CHILDREN
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def accuracy(rbm, train, test):
    """Return the share of the test images that a logistic regression of the hidden layer names,
    with scikit-learn's C."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regression = LogisticRegression(max_iter=150).fit(rbm.transform(train[0]), train[1])
    return regression.score(rbm.transform(test[0]), test[1])


def likelihood(machine, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return -machine.free_energy(rows).mean() - machine.log_partition(
            method="ais", options={"ais.runs": 64, "ais.betas": 1000}
        )


def threads_of(fit):
    """Return the number of threads with which fit(threads) takes least time: on busy machines it is
    often one."""
    return min((timed(lambda: fit(n))[1], n) for n in {1, os.cpu_count() or 1})[1]


# For a classifier behind it: larger batches and axons, whose updates are cheap, in more epochs at a
# lower rate.
FEATURES = {"patterns": 64, "batch_size": 50, "learning_rate": 0.05}


def compare(hidden, rows, epochs, rates, seeds, threads):
    from sklearn.neural_network import BernoulliRBM
    from threadpoolctl import threadpool_limits

    train, test = images("train", rows), images("t10k", 10000)
    few = train[0][:1000]

    def theirs(x, rate, threads, seed, n=epochs):
        with threadpool_limits(threads):
            return BernoulliRBM(
                hidden, learning_rate=rate, batch_size=10, n_iter=n, random_state=seed
            ).fit(x)

    def ours(x, threads, seed, n=epochs, **params):
        return BoltzmannMachine(hidden, n_iter=n, random_state=seed, threads=threads, **params).fit(
            x
        )

    blas, own = (
        (threads, threads)
        if threads
        else (
            threads_of(lambda n: theirs(few, 0.1, n, 0, 1)),
            threads_of(lambda n: ours(few, n, 0, 1)),
        )
    )
    print(
        f"MNIST, {rows} rows, H = {hidden}, {seeds} seeds; {blas} threads of BLAS, {own} of mattis"
    )
    print(f"{'':40s}{'epochs':>7s}{'fit, s':>9s}{'accuracy':>18s}{'nats':>9s}", flush=True)

    def row(name, n, fit):
        seconds, shares = [], []
        for seed in range(seeds):
            machine, took = timed(lambda: fit(seed))
            seconds.append(took)
            with threadpool_limits(1):
                shares.append(accuracy(machine, train, test))
                if seed == 0:
                    judged = (
                        machine
                        if isinstance(machine, BoltzmannMachine)
                        else BoltzmannMachine.from_sklearn(machine)
                    )
                    nats = likelihood(judged, test[0])
        error = np.std(shares, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.nan
        print(
            f"{name:40s}{n:7d}{np.median(seconds):9.2f}{np.mean(shares):10.4f} "
            f"±{error:.4f}{nats:9.1f}",
            flush=True,
        )
        return np.median(seconds)

    slow = None
    for rate in rates:
        took = row(
            f"BernoulliRBM, rate {rate}, float32",
            epochs,
            lambda seed: theirs(train[0], rate, blas, seed),
        )
        slow = slow or took
    wide = train[0].astype(np.float64)
    _, took = timed(lambda: theirs(wide, rates[0], blas, 0))
    print(f"{f'BernoulliRBM, rate {rates[0]}, float64':40s}{epochs:7d}{took:9.2f}", flush=True)
    row("mattis, as it comes", epochs, lambda seed: ours(train[0], own, seed))
    row(
        "mattis, 10 chains, as BernoulliRBM has",
        epochs,
        lambda seed: ours(train[0], own, seed, n_chains=10),
    )
    took = row("mattis, axons K = 64", epochs, lambda seed: ours(train[0], own, seed, patterns=64))
    longer = max(1, int(epochs * slow / took))
    row(
        "mattis, axons K = 64, equal time",
        longer,
        lambda seed: ours(train[0], own, seed, n=longer, patterns=64),
    )
    _, took = timed(lambda: ours(train[0], own, 0, **FEATURES))
    longer = max(1, int(epochs * slow / took))
    row(
        "mattis, for a classifier, equal time",
        longer,
        lambda seed: ours(train[0], own, seed, n=longer, **FEATURES),
    )


def seconds(hidden, rows, epochs, times):
    """Print the seconds of fit alone, the least of several turns, for each number of threads."""
    from sklearn.neural_network import BernoulliRBM
    from threadpoolctl import threadpool_limits

    x, _ = images("train", rows)
    wide = x.astype(np.float64)
    print(
        f"MNIST, {rows} rows, H = {hidden}, {epochs} epochs: seconds of fit, least of {times}",
        flush=True,
    )

    def theirs(x, threads, batch):
        with threadpool_limits(threads):
            BernoulliRBM(hidden, batch_size=batch, n_iter=epochs, random_state=0).fit(x)

    def ours(threads, **params):
        BoltzmannMachine(hidden, n_iter=epochs, random_state=0, threads=threads, **params).fit(x)

    for batch in (10, 100):
        ways = {
            "BernoulliRBM, float64": lambda n: theirs(wide, n, batch),
            "BernoulliRBM, float32": lambda n: theirs(x, n, batch),
            "mattis, as it comes": lambda n: ours(n, batch_size=batch),
            "mattis, as many chains": lambda n: ours(n, batch_size=batch, n_chains=batch),
            "mattis, axons K = 64": lambda n: ours(
                n, batch_size=batch, n_chains=batch, patterns=64
            ),
        }
        least = {}
        for _ in range(times):
            for name, fit in ways.items():
                for n in sorted({1, os.cpu_count() or 1}):
                    least[name, n] = min(least.get((name, n), np.inf), timed(lambda: fit(n))[1])
        for name in ways:
            some = [least[key] for key in sorted(least) if key[0] == name]
            print(f"batch {batch:4d}  {name:26s}" + "".join(f"{s:8.2f}" for s in some), flush=True)


def layer(hidden, rows, epochs, times):
    """Compare fit with mattis train of the same recipe on the same rows, in turn; both begin with a
    program to start."""
    x, _ = images("train", rows)
    with tempfile.TemporaryDirectory() as folder:
        machine = BoltzmannMachine(hidden, n_iter=epochs, random_state=0).fit(x[:1000])
        with open(os.path.join(folder, "r.yaml"), "w") as out:
            out.write(machine.recipe_)
        np.save(os.path.join(folder, "x.npy"), (2 * x - 1).astype(np.int8))
        spent = {"mattis train": [], "fit": []}
        for i in range(times):
            command = [
                _binary.find(),
                "train",
                "r.yaml",
                "--run",
                f"run{i}",
                "--set",
                "data={name: npy, path: x.npy}",
            ]
            before = cpu()
            _, wall = timed(
                lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True)
            )
            spent["mattis train"].append((wall, cpu() - before))
            before = cpu()
            machine, wall = timed(
                lambda: BoltzmannMachine(hidden, n_iter=epochs, random_state=0).fit(x)
            )
            del machine  # and with it its worker, whose time counts then
            spent["fit"].append((wall, cpu() - before))
    print(f"{rows} rows, H = {hidden}, {epochs} epochs, {times} times in turn")
    base = np.array(spent["mattis train"])
    for name, some in spent.items():
        some = np.array(some)
        least, more = some.min(axis=0), 100 * (some.min(axis=0) / base.min(axis=0) - 1)
        print(
            f"{name:14s} wall: least {least[0]:.2f} s ({more[0]:+.1f} %), median "
            f"{np.median(some[:, 0]):.2f} s"
            f"   processors: least {least[1]:.2f} s ({more[1]:+.1f} %)",
            flush=True,
        )


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--hidden", type=int, default=256)
    p.add_argument("--rows", type=int, default=10000)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument(
        "--threads",
        type=int,
        default=0,
        help="of BLAS and of mattis; 0 takes what is faster here of one and all",
    )
    p.add_argument("--rates", type=float, nargs="*", default=[0.1], help="of BernoulliRBM")
    p.add_argument(
        "--seconds", action="store_true", help="of fit alone, with one thread and with all"
    )
    p.add_argument("--layer", action="store_true")
    p.add_argument("--times", type=int, default=5)
    a = p.parse_args()
    if a.seconds:
        seconds(a.hidden, a.rows, a.epochs, a.times)
    elif a.layer:
        layer(a.hidden, a.rows, a.epochs, a.times)
    else:
        compare(a.hidden, a.rows, a.epochs, a.rates, a.seeds, a.threads)


if __name__ == "__main__":
    main()
