"""Boltzmann machines: scikit-learn's BernoulliRBM, faster, and with likelihoods.

    from mattis import BernoulliRBM      # or BoltzmannMachine, which it is
    rbm = BernoulliRBM(n_components=256, random_state=0).fit(X)
    rbm.score(X_test)                    # mean log-likelihood in nats
"""

from ._errors import MattisError, MattisMemoryError, MattisValueError, MattisWarning, WorkerDied
from ._machine import BoltzmannMachine
from ._run import Run, load_run

BernoulliRBM = BoltzmannMachine

__version__ = "0.1.0"
__all__ = [
    "BernoulliRBM",
    "BoltzmannMachine",
    "MattisError",
    "MattisMemoryError",
    "MattisValueError",
    "MattisWarning",
    "Run",
    "WorkerDied",
    "load_run",
]
