"""Files for jobs to come, which callers upload straight to the object store."""

from fastapi import APIRouter, status

from jobs.assets import Asset, Assets
from jobs.keys import Scope
from service.auth import CallerDep, require_scope
from service.components import AppComponents
from service.openapi import problem_responses
from service.problems import Problem, ProblemType
from service.schemas import AssetDocument, AssetRequest
from service.settings import ServiceSettings

router = APIRouter(prefix="/v1/assets", tags=["assets"])


@router.post(
    "",
    summary="Announce a file and learn where to upload it",
    status_code=status.HTTP_201_CREATED,
    response_description="The asset, and the request that uploads it.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    responses=problem_responses(
        ProblemType.PORTRAIT_TOO_LARGE,
        ProblemType.AUDIO_TOO_LARGE,
        ProblemType.BODY_TOO_LARGE,
        ProblemType.INVALID_REQUEST,
        ProblemType.STORE_UNAVAILABLE,
        ProblemType.STORAGE_UNAVAILABLE,
    ),
)
def announce_asset(
    wanted: AssetRequest, caller: CallerDep, components: AppComponents
) -> AssetDocument:
    """Return the one request that uploads the file: of just this size and type, within an hour.

    Jobs name the asset in place of a file for a day. Its content is checked when a job is made.
    """
    _require_fitting(wanted, components.settings)
    asset = Asset.create(caller.tenant, wanted.kind, wanted.size, wanted.content_type)
    return AssetDocument.of(asset, Assets(components.storage).announce(asset))


def _require_fitting(wanted: AssetRequest, settings: ServiceSettings) -> None:
    max_bytes: int = getattr(settings, f"{wanted.kind}_max_bytes")
    if wanted.size > max_bytes:
        raise Problem(
            ProblemType.with_code(f"{wanted.kind}_too_large"),
            f"The {wanted.kind} shall have {wanted.size} bytes; at most {max_bytes} are accepted.",
        )
