"""POST /functions/deployments/bundle and …/preview: a manifest and an archive, as multipart."""

from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile

from dragoman_server.api.common import Json, data, environment_of
from dragoman_server.flows.deploy import Deploy
from dragoman_server.web.errors import RequestTooLargeError

LARGEST_ARCHIVE = 20 * 1024 * 1024
LARGEST_MANIFEST = 4 * 1024 * 1024
Manifest = Annotated[UploadFile, File(description="The SDK's manifest, JSON.")]
Archive = Annotated[UploadFile, File(description="The project as tar.gz; its sha256 is the deployment's id.")]


def routes(deploy: Deploy) -> APIRouter:
    router = APIRouter(tags=["Functions"])

    @router.post("/functions/deployments/bundle/preview", summary="What deploying a bundle would change")
    async def preview(request: Request, manifest: Manifest, archive: Archive) -> Json:
        told, packed = await _read(manifest, LARGEST_MANIFEST), await _read(archive, LARGEST_ARCHIVE)
        return data(await deploy.preview(environment_of(request), packed, told))

    @router.post("/functions/deployments/bundle", summary="Deploy a bundle")
    async def deploy_bundle(request: Request, manifest: Manifest, archive: Archive) -> Json:
        told, packed = await _read(manifest, LARGEST_MANIFEST), await _read(archive, LARGEST_ARCHIVE)
        return data(await deploy.deploy(environment_of(request), packed, told))

    return router


async def _read(upload: UploadFile, limit: int) -> bytes:
    read = await upload.read(limit + 1)
    if len(read) > limit:
        raise RequestTooLargeError(limit)
    return read
