"""How much is tried: the same few cases in each run of the tests, ever new ones on demand."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

EXAMPLES_VARIABLE = "AMIGO_FUZZ_EXAMPLES"
"""Set by `python -m tests.security.fuzz`: how many new cases each target is given."""

_examples = os.environ.get(EXAMPLES_VARIABLE)

budget = settings(
    deadline=None,  # a busy machine is no finding
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    max_examples=int(_examples or 100),
    derandomize=not _examples,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples") if _examples else None,
    print_blob=bool(_examples),
)
