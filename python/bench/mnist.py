"""RBM and logistic regression on MNIST: BernoulliRBM of scikit-learn beside mattis, in one process
after another.

    MATTIS_DATA=DIR MATTIS=./mattis python3 python/bench/mnist.py      all three tables
    python3 python/bench/mnist.py --seconds                            of fit alone
    python3 python/bench/mnist.py --layer                              of the Python layer
    python3 python/bench/mnist.py --accuracy --hidden 500              of a classifier behind it

DIR/mnist holds the four IDX files.
Seconds: of fit, dense with batches of 10 and 100 and by axons, with one thread and with all.
Layer: fit beside mattis train of the same recipe on the same rows.
Accuracy: of a logistic regression on what transform makes of the images, at equal epochs and in equal
time. Settings of the machines and the penalty of the regression are chosen on either side, of as many,
by rows held out of the training images; machine and regression of the setting chosen are then fitted to
all rows, and judged on the test images. Nats an image (higher is better) are by annealed importance
sampling for all alike. """

import argparse
import gzip
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from mattis import BoltzmannMachine, MattisError, _binary  # noqa: E402


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


# What is tried on either side, as many of each: rows are chosen among by accuracy on rows held out.
THEIRS = [
    {"learning_rate": rate, "batch_size": batch}
    for rate, batch in [(0.1, 10), (0.05, 10), (0.02, 10), (0.2, 50), (0.1, 50), (0.05, 50)]
]
# Features for a classifier: hidden spins that are off move no couplings and learn to be off, visible
# ones are centred, and the rate falls to 0 in all epochs.
FEATURES = {
    "machine.offset": "sparse",
    "machine.bias_rate": 4,
    "machine.start": "data",
    "optimizer.decay": {"kind": "cosine", "floor": 0, "per": "update"},
}


def by_axons(patterns, rate):
    """Return a setting by axons, at the rate that their patterns move by."""
    couplings = {"kind": "axons", "patterns": patterns, "init": {"bernoulli": 0.1}}
    how = {"couplings": couplings, "optimizer.kind": "sgd", "optimizer.rate": rate}
    return {"patterns": patterns, "batch_size": 50, "n_chains": 50, "settings": FEATURES | how}


def densely(rate):
    """Return a setting by dense couplings."""
    return {"learning_rate": rate, "batch_size": 10, "n_chains": 10, "settings": FEATURES}


OURS = [
    by_axons(64, 0.05),
    by_axons(64, 0.1),
    by_axons(128, 0.05),
    densely(0.06),
    densely(0.12),
    densely(0.25),
]
# Inverse penalties of the logistic regression, of both sides.
PENALTIES = [0.01, 0.1, 1.0, 10.0]


def text(setting):
    """Return a setting in a few words; FEATURES are named so."""
    words = [f"{k.split('_')[-1]} {v}" for k, v in setting.items() if k not in ("settings", "n_chains")]
    rate = setting.get("settings", {}).get("optimizer.rate")
    return ", ".join(words + [f"rate {rate}"] * (rate is not None) + ["features"] * ("settings" in setting))


def regression(train, penalty):
    """Return a logistic regression of features and labels."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # that it stops at max_iter
        return LogisticRegression(C=penalty, max_iter=150).fit(*train)


def choose(fit, settings, rows, held):
    """Return the setting and the penalty whose accuracy on the rows held is best, of machines and
    regressions of the other rows, with that accuracy. Each of settings goes with its epochs."""
    best = (-1.0,)
    for setting, epochs in settings:
        try:
            machine = fit(rows[0], 0, epochs, setting)
        except MattisError as err:  # a rate that is too high
            print(f"{text(setting)}: {err}", flush=True)
            continue
        learn, judge = (machine.transform(rows[0]), rows[1]), machine.transform(held[0])
        for penalty in PENALTIES:
            share = regression(learn, penalty).score(judge, held[1])
            if share > best[0]:
                best = (share, setting, epochs, penalty)
    if len(best) == 1:
        sys.exit("no setting could be trained")
    share, setting, epochs, penalty = best
    return setting, epochs, penalty, share


def compare(hidden, rows, held, judged, epochs, seeds, threads):
    """Print accuracies on the test images at equal epochs and in equal time, of settings that are
    chosen on rows of the training images. The test images are looked at once a row of the table."""
    from sklearn.neural_network import BernoulliRBM
    from threadpoolctl import threadpool_limits

    x, y = images("train", rows)
    kept, out = (x[:-held], y[:-held]), (x[-held:], y[-held:])
    few = x[:1000]

    def theirs(x, seed, n, setting, threads=None):
        with threadpool_limits(threads or blas):
            return BernoulliRBM(hidden, n_iter=n, random_state=seed, **setting).fit(x)

    def ours(x, seed, n, setting, threads=None):
        if "settings" in setting:
            falls = setting["settings"]["optimizer.decay"] | {"over": n}
            setting = setting | {"settings": setting["settings"] | {"optimizer.decay": falls}}
        return BoltzmannMachine(
            hidden, n_iter=n, random_state=seed, threads=threads or own, **setting
        ).fit(x)

    blas = threads or threads_of(lambda n: theirs(few, 0, 1, THEIRS[0], n))
    own = threads or threads_of(lambda n: ours(few, 0, 1, OURS[0], n))
    print(
        f"MNIST, {rows} rows, H = {hidden}, {seeds} seeds; {blas} threads of BLAS, {own} of "
        f"mattis. Settings and C of {len(THEIRS)} x {len(PENALTIES)} on either side, by {held} "
        "rows held out",
        flush=True,
    )
    budget = min(timed(lambda: theirs(x, 0, epochs, THEIRS[0]))[1] for _ in range(2))

    def fits(fit, setting):
        """Return how many epochs of all rows the time of BernoulliRBM's is enough for. What fit
        takes before its first epoch counts."""
        try:
            two, more = (
                min(timed(lambda: fit(x, 0, n, setting))[1] for _ in range(2)) for n in (2, 7)
            )
        except MattisError as err:  # a rate that is too high
            print(f"{text(setting)}: {err}", flush=True)
            return 0
        return max(1, 2 + math.floor((budget - two) / max(1e-9, more - two) * 5))

    sides = [("BernoulliRBM", theirs, THEIRS), ("mattis", ours, OURS)]
    plans = [("as it comes", name, fit, [({}, epochs)]) for name, fit, _ in sides]
    for name, fit, settings in sides:
        plans.append(("equal epochs", name, fit, [(s, epochs) for s in settings]))
    for name, fit, settings in sides:
        some = [(s, fits(fit, s)) for s in settings]
        plans.append(("equal time", name, fit, [(s, n) for s, n in some if n > 0]))
    print(
        f"{'':14s}{'':14s}{'setting':42s}{'C':>6s}{'epochs':>7s}{'fit, s':>8s}{'held':>8s}"
        f"{'test':>8s}{'':9s}{'nats':>8s}",
        flush=True,
    )
    test = images("t10k", judged)
    found = {}
    for what, name, fit, settings in plans:
        setting, n, penalty, share = choose(fit, settings, kept, out)
        seconds, shares = [], []
        for seed in range(seeds):
            machine, took = timed(lambda: fit(x, seed, n, setting))
            seconds.append(took)
            model = regression((machine.transform(x), y), penalty)
            shares.append(model.score(machine.transform(test[0]), test[1]))
            if seed == 0:
                own_kind = isinstance(machine, BoltzmannMachine)
                nats = likelihood(
                    machine if own_kind else BoltzmannMachine.from_sklearn(machine), test[0]
                )
        error = np.std(shares, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.nan
        found[what, name] = np.mean(shares), error
        print(
            f"{what:14s}{name:14s}{text(setting):42s}{penalty:6g}{n:7d}{np.median(seconds):8.2f}"
            f"{share:8.4f}{np.mean(shares):8.4f} ±{error:.4f}{nats:9.1f}",
            flush=True,
        )
    for what in ("equal epochs", "equal time"):
        (a, da), (b, db) = found[what, "mattis"], found[what, "BernoulliRBM"]
        print(f"{what}: mattis is better by {a - b:+.4f} ± {np.hypot(da, db):.4f}", flush=True)


def seconds(hidden, rows, epochs, times):
    """Print the seconds of fit alone, the least of several turns, for each number of threads."""
    from sklearn.neural_network import BernoulliRBM
    from threadpoolctl import threadpool_limits

    x, _ = images("train", rows)
    wide = x.astype(np.float64)
    print(
        f"MNIST, {rows} rows, H = {hidden}, {epochs} epochs: seconds of fit, least of {times}, with "
        f"threads: {' '.join(map(str, sorted({1, os.cpu_count() or 1})))}",
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
            base = min(least[key] for key in least if key[0] == "BernoulliRBM, float32")
            print(
                f"batch {batch:4d}  {name:26s}"
                + "".join(f"{s:8.2f}" for s in some)
                + f"   {base / min(some):5.2f} x float32",
                flush=True,
            )


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
    print(f"The Python layer: {rows} rows, H = {hidden}, {epochs} epochs, {times} times in turn")
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
    p.add_argument("--seconds", action="store_true", help="print this table alone")
    p.add_argument("--layer", action="store_true", help="print this table alone")
    p.add_argument("--accuracy", action="store_true", help="print this table alone")
    p.add_argument("--hidden", type=int, nargs="+", default=[256, 500])
    p.add_argument("--rows", type=int, default=10000, help="of the training images")
    p.add_argument("--held", type=int, default=2000, help="of these, to choose settings by")
    p.add_argument("--judged", type=int, default=10000, help="rows of the test images")
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--seeds", type=int, default=3, help="of the accuracies")
    p.add_argument("--times", type=int, default=3, help="that seconds are taken, in turn")
    p.add_argument(
        "--threads",
        type=int,
        default=0,
        help="of BLAS and of mattis for the accuracies; 0 takes what is faster here of one and all",
    )
    a = p.parse_args()
    if not 0 < a.held < a.rows:
        p.error(f"--held {a.held}: want 1 to {a.rows - 1} of the {a.rows} rows")
    every = not (a.seconds or a.layer or a.accuracy)
    for hidden in a.hidden:
        if a.seconds or every:
            seconds(hidden, a.rows, a.epochs, a.times)
    for hidden in a.hidden:
        if a.layer or every:
            layer(hidden, a.rows, a.epochs, a.times)
    for hidden in a.hidden:
        if a.accuracy or every:
            compare(hidden, a.rows, a.held, a.judged, a.epochs, a.seeds, a.threads)


if __name__ == "__main__":
    main()
