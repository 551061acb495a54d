"""The pipeline of a worker under test: small, without torch, and a way into the worker's child.

The child is a fresh interpreter that imports little but this on its own: what makes its steps
strike is wrapped here, before the first job can come.
"""

from tests.faults.steps import CHILD, Steps, shorten_waits
from tests.integration.workers.pipelines import GreyPipeline


def load(device: str) -> GreyPipeline:
    """Wrap the child's steps and return the grey pipeline."""
    shorten_waits()
    Steps(".child").wrap(CHILD)
    return GreyPipeline(device)
