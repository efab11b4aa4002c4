"""What can go wrong, as exceptions whose text is the program's own line."""


class MattisError(RuntimeError):
    """The mattis program could not do what it was asked to."""


class MattisValueError(MattisError, ValueError):
    """A parameter, a field of a recipe or the rows ask for what is not possible."""


class MattisMemoryError(MattisError, MemoryError):
    """What was asked for takes more memory than there is."""


class WorkerDied(MattisError):
    """The worker process ended before it answered."""


class MattisWarning(UserWarning):
    """What a user should know of how rows were read or how a training went."""
