"""The pipeline of a worker under test: small, without torch, and a hook into the worker's child.

The child is a new interpreter that imports little besides this module: the functions that make its
steps strike are installed here, before the first job arrives.
"""

from tests.faults.steps import CHILD, Steps, shorten_waits
from tests.integration.workers.pipelines import GreyPipeline


def load(device: str) -> GreyPipeline:
    """Wrap the child's steps and return the grey pipeline."""
    shorten_waits()
    Steps(".child").wrap(CHILD)
    return GreyPipeline(device)
