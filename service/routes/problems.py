"""Descriptions of the problems: the target of a problem's `type`."""

from typing import Annotated

from fastapi import APIRouter, Path

from service.documents.openapi import problem_responses
from service.documents.schemas import ProblemTypeDocument
from service.problems import Problem, ProblemType

router = APIRouter(prefix="/problems", tags=["operations"])


@router.get(
    "",
    summary="List all types of problems",
    response_description="All types, ordered by status.",
)
async def list_problem_types() -> list[ProblemTypeDocument]:
    """Return each stable code with its status and title."""
    return [ProblemTypeDocument.of(problem_type) for problem_type in ProblemType]


@router.get(
    "/{code}",
    summary="Get a type of problem",
    response_description="The type of problem.",
    responses=problem_responses(ProblemType.ROUTE_NOT_FOUND),
)
async def read_problem_type(
    code: Annotated[str, Path(description="The `code` of a problem.")],
) -> ProblemTypeDocument:
    """Return the type of problem with this code."""
    try:
        return ProblemTypeDocument.of(ProblemType.with_code(code))
    except KeyError as error:
        raise Problem(
            ProblemType.ROUTE_NOT_FOUND, "There is no problem with this code; /problems lists them."
        ) from error
