"""Assets: files that callers upload straight to the object store, for later jobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response, status

from jobs.assets import Asset
from jobs.errors import StorageUnavailable
from jobs.s3.assets import Assets
from jobs.valkey.api_keys import Scope
from service.auth import CallerDep, require_scope
from service.dependencies import AppComponents
from service.documents.openapi import asset_request_body, problem_responses, response_headers
from service.documents.schemas import AssetDocument, AssetPage, AssetRequest
from service.intake.json_body import receive_document
from service.problems import Problem, ProblemType
from service.reading.conditional import entity_tag
from service.routes.preconditions import IfMatch, require_match
from service.settings import ServiceSettings

router = APIRouter(prefix="/v1/assets", tags=["assets"])

AssetId = Annotated[str, Path(description="The `id` from the asset's document.")]

_ONE_ASSET = problem_responses(
    ProblemType.ASSET_NOT_FOUND, ProblemType.STORE_UNAVAILABLE, ProblemType.STORAGE_UNAVAILABLE
)


async def _wanted(request: Request, _: CallerDep, components: AppComponents) -> AssetRequest:
    return await receive_document(request, AssetRequest, components.settings)


@router.post(
    "",
    summary="Request an upload URL for a file",
    status_code=status.HTTP_201_CREATED,
    response_description="The asset, and the request that uploads it.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    responses=problem_responses(
        ProblemType.MALFORMED_REQUEST,
        ProblemType.UPLOAD_INCOMPLETE,
        ProblemType.UPLOAD_TIMEOUT,
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        ProblemType.UNSUPPORTED_CONTENT_ENCODING,
        ProblemType.PORTRAIT_TOO_LARGE,
        ProblemType.AUDIO_TOO_LARGE,
        ProblemType.BODY_TOO_LARGE,
        ProblemType.INVALID_REQUEST,
        ProblemType.RATE_LIMITED,
        ProblemType.ASSET_QUOTA_EXCEEDED,
        ProblemType.STORE_UNAVAILABLE,
        ProblemType.STORAGE_UNAVAILABLE,
    ),
    openapi_extra=asset_request_body(),
)
def announce_asset(
    wanted: Annotated[AssetRequest, Depends(_wanted)], caller: CallerDep, components: AppComponents
) -> AssetDocument:
    """Return a presigned request that uploads the file. It is valid for an hour, and only for this
    size and type.

    For a day, jobs can use the asset instead of a file. The content is checked when a job is
    created.
    """
    _require_fitting(wanted, components.settings)
    asset = Asset.create(caller.tenant, wanted.kind, wanted.size, wanted.content_type)
    components.asset_quota.take(asset)
    try:
        upload = Assets(components.storage).register(asset)
    except StorageUnavailable:
        components.asset_quota.give_back(asset)
        raise
    return AssetDocument.of(asset, upload)


@router.get(
    "",
    summary="List your assets",
    response_description="All assets that jobs can refer to.",
    dependencies=[require_scope(Scope.JOBS_READ)],
    responses=problem_responses(ProblemType.STORE_UNAVAILABLE, ProblemType.STORAGE_UNAVAILABLE),
)
def list_assets(caller: CallerDep, components: AppComponents) -> AssetPage:
    """Return your assets, newest first."""
    found = Assets(components.storage).of_tenant(caller.tenant)
    return AssetPage(assets=[AssetDocument.of(asset, is_uploaded=done) for asset, done in found])


@router.get(
    "/{asset_id}",
    summary="Get an asset",
    response_description="The asset.",
    dependencies=[require_scope(Scope.JOBS_READ)],
    responses={200: response_headers(ETag="Identifies this version of the asset."), **_ONE_ASSET},
)
def read_asset(
    asset_id: AssetId, caller: CallerDep, components: AppComponents, response: Response
) -> AssetDocument:
    """Return an asset and whether its file has been uploaded."""
    asset, is_uploaded = Assets(components.storage).get(caller.tenant, asset_id)
    response.headers["ETag"] = _tag(asset, is_uploaded)
    return AssetDocument.of(asset, is_uploaded=is_uploaded)


@router.delete(
    "/{asset_id}",
    summary="Delete an asset",
    response_description="The asset was deleted.",
    dependencies=[require_scope(Scope.JOBS_WRITE)],
    status_code=status.HTTP_204_NO_CONTENT,
    responses={**_ONE_ASSET, **problem_responses(ProblemType.PRECONDITION_FAILED)},
)
def delete_asset(
    asset_id: AssetId, caller: CallerDep, components: AppComponents, if_match: IfMatch = None
) -> None:
    """Delete an asset and its file, and free its part of the quota. Jobs keep their own copy."""
    assets = Assets(components.storage)
    asset, is_uploaded = assets.get(caller.tenant, asset_id)
    require_match(if_match, _tag(asset, is_uploaded))
    assets.delete(asset)
    components.asset_quota.give_back(asset)


def _tag(asset: Asset, is_uploaded: bool) -> str:
    # An asset only changes when its file arrives.
    return entity_tag(f"{asset.model_dump_json()}\n{is_uploaded}".encode())


def _require_fitting(wanted: AssetRequest, settings: ServiceSettings) -> None:
    max_bytes: int = getattr(settings, f"{wanted.kind}_max_bytes")
    if wanted.size > max_bytes:
        raise Problem(
            ProblemType.with_code(f"{wanted.kind}_too_large"),
            f"The {wanted.kind} has {wanted.size} bytes; at most {max_bytes} are accepted.",
        )
