"""What scikit-learn gives an estimator, and as much of it as is needed where scikit-learn is not
there."""

import warnings

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import check_random_state

    HAVE_SKLEARN = True
except ImportError:
    HAVE_SKLEARN = False

if HAVE_SKLEARN:
    try:
        from sklearn.utils.validation import validate_data  # from 1.6 on

        def validate(estimator, X, reset, missing=False):
            """Return X as an array of two sizes, dense or not, and take or check features and their
            names."""
            finite = "allow-nan" if missing else True
            return validate_data(
                estimator, X, reset=reset, accept_sparse="csr", ensure_all_finite=finite
            )

    except ImportError:

        def validate(estimator, X, reset, missing=False):
            """Return X as an array of two sizes, dense or not, and take or check features and their
            names."""
            finite = "allow-nan" if missing else True
            return estimator._validate_data(
                X, reset=reset, accept_sparse="csr", force_all_finite=finite
            )

else:
    import inspect

    class NotFittedError(ValueError, AttributeError):
        """An estimator is asked before it is fitted."""

    def check_random_state(seed):
        """Return a RandomState for None, a number or a RandomState."""
        if seed is None or seed is np.random:
            return np.random.mtrand._rand
        if isinstance(seed, (int, np.integer)):
            return np.random.RandomState(seed)
        if isinstance(seed, np.random.RandomState):
            return seed
        raise ValueError(
            f"random_state {seed!r} is no seed: want None, a whole number or a RandomState"
        )

    class BaseEstimator:
        """Parameters by name, as scikit-learn has them."""

        @classmethod
        def _names(cls):
            return sorted(p for p in inspect.signature(cls.__init__).parameters if p != "self")

        def get_params(self, deep=True):
            """Return the parameters by name."""
            return {name: getattr(self, name) for name in self._names()}

        def set_params(self, **params):
            """Set parameters by name and return the estimator."""
            for name, value in params.items():
                if name not in self._names():
                    raise ValueError(
                        f"{type(self).__name__} has no parameter {name!r}, only "
                        f"{', '.join(self._names())}"
                    )
                setattr(self, name, value)
            return self

        def __repr__(self):
            first = inspect.signature(type(self).__init__).parameters
            told = [
                f"{n}={v!r}"
                for n, v in self.get_params().items()
                if v is not first[n].default and v != first[n].default
            ]
            return f"{type(self).__name__}({', '.join(told)})"

    class TransformerMixin:
        """fit_transform by fit and transform."""

        def fit_transform(self, X, y=None, **more):
            """Fit to X and return its transform."""
            return self.fit(X, y, **more).transform(X)

    class ClassNamePrefixFeaturesOutMixin:
        """Names of what transform returns."""

        def get_feature_names_out(self, input_features=None):
            """Return a name for each hidden variable."""
            if not hasattr(self, "n_features_in_"):
                raise NotFittedError(
                    f"this {type(self).__name__} is not fitted yet: call fit first"
                )
            prefix = type(self).__name__.lower()
            return np.asarray([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)

    def validate(estimator, X, reset, missing=False):
        """Return X as an array of two sizes, dense or not, and take or check features and their
        names."""
        names = getattr(X, "columns", None)
        names = (
            np.asarray(names, dtype=object)
            if names is not None and all(isinstance(n, str) for n in names)
            else None
        )
        x = X if hasattr(X, "toarray") else np.asarray(X)
        if x.dtype == object:
            x = x.astype(np.float64)
        if x.ndim != 2:
            raise ValueError(
                f"X has {x.ndim} dimensions, want rows and features (Reshape your data: "
                f"X.reshape(1, -1) of one row)"
            )
        if not (np.issubdtype(x.dtype, np.number) or x.dtype == bool) or np.iscomplexobj(x):
            raise ValueError(f"X holds {x.dtype}, want numbers")
        if x.shape[0] < 1 or x.shape[1] < 1:
            raise ValueError(
                f"X has {x.shape[0]} rows (n_samples) of {x.shape[1]} feature(s), want at least 1 "
                f"of each"
            )
        if (
            not missing
            and not hasattr(x, "toarray")
            and x.dtype.kind == "f"
            and not np.isfinite(x).all()
        ):
            raise ValueError("X holds NaN or infinity")
        if reset:
            estimator.n_features_in_ = x.shape[1]
            if names is not None:
                estimator.feature_names_in_ = names
            elif hasattr(estimator, "feature_names_in_"):
                del estimator.feature_names_in_
            return x
        if x.shape[1] != estimator.n_features_in_:
            raise ValueError(
                f"X has {x.shape[1]} features, but {type(estimator).__name__} is expecting "
                f"{estimator.n_features_in_} features as input"
            )
        fitted = getattr(estimator, "feature_names_in_", None)
        if fitted is None and names is not None:
            warnings.warn(
                f"X has feature names, but {type(estimator).__name__} was fitted without feature "
                f"names",
                stacklevel=3,
            )
        elif fitted is not None and names is None:
            warnings.warn(
                f"X does not have valid feature names, but {type(estimator).__name__} was fitted "
                f"with feature names",
                stacklevel=3,
            )
        elif fitted is not None and list(fitted) != list(names):
            raise ValueError("The feature names should match those that were passed during fit")
        return x
