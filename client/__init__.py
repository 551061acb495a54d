"""The Python client and the `amigo` command; importing it needs httpx and pydantic alone."""

from client.client import AmigoClient
from client.errors import AmigoError, ApiProblem, JobUnfinished, Unreachable
from client.job_view import JobView

__all__ = ["AmigoClient", "AmigoError", "ApiProblem", "JobUnfinished", "JobView", "Unreachable"]
