"""The number of cases: a few fixed ones in each run of the tests, new ones on demand."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

EXAMPLES_VARIABLE = "AMIGO_FUZZ_EXAMPLES"
"""Set by `python -m tests.security.fuzz`: number of new cases for each target."""

_examples = os.environ.get(EXAMPLES_VARIABLE)

budget = settings(
    deadline=None,  # slowness of a busy machine is not a finding
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    max_examples=int(_examples or 40),
    derandomize=not _examples,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples") if _examples else None,
    print_blob=bool(_examples),
)
