# Made by scripts/blocking_types.py from context.py and response.py; do not edit.
# ruff: noqa: A002, E501
# fmt: off

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from dragoman.authoring.context import Body, Logger
from dragoman.authoring.response import Response

class BlockingCheckpoint:

    def get(self) -> Any:
        ...

    def save(self, value: Any) -> None:
        ...

    def clear(self) -> None:
        ...

class BlockingMetadata:

    def get(self) -> Any:
        ...

    def set(self, value: Any) -> None:
        ...

    def update(self, value: Any=..., **keys: Any) -> None:
        ...

class BlockingContext:
    log: Logger
    metadata: BlockingMetadata
    checkpoint: BlockingCheckpoint

    @property
    def run_id(self) -> str:
        ...

    @property
    def attempt(self) -> int:
        ...

    @property
    def integration(self) -> str:
        ...

    @property
    def provider(self) -> str:
        ...

    @property
    def connection_id(self) -> str:
        ...

    @property
    def environment(self) -> str:
        ...

    @property
    def variant(self) -> str:
        ...

    @property
    def dry_run(self) -> bool:
        ...

    def connection(self) -> Mapping[str, Any]:
        ...

    def variables(self) -> Mapping[str, str]:
        ...

    def request(self, method: str, endpoint: str, *, params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None=..., headers: Mapping[str, str] | None=..., json: Any=..., data: Mapping[str, Any] | None=..., content: Body | None=..., retries: int=..., retry_on: Sequence[int]=..., timeout: float | None=..., base_url: str | None=..., decompress: bool=..., raise_for_status: bool=...) -> Response:
        ...

    def get(self, endpoint: str, **options: Any) -> Response:
        ...

    def post(self, endpoint: str, **options: Any) -> Response:
        ...

    def put(self, endpoint: str, **options: Any) -> Response:
        ...

    def patch(self, endpoint: str, **options: Any) -> Response:
        ...

    def delete_request(self, endpoint: str, **options: Any) -> Response:
        ...

    def stream(self, method: str, endpoint: str, *, params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None=..., headers: Mapping[str, str] | None=..., json: Any=..., data: Mapping[str, Any] | None=..., content: Body | None=..., retries: int=..., retry_on: Sequence[int]=..., timeout: float | None=..., base_url: str | None=..., decompress: bool=..., raise_for_status: bool=...) -> AbstractContextManager[BlockingStreamedResponse]:
        ...

    def paginate(self, endpoint: str, *, method: str=..., params: Mapping[str, Any] | None=..., json: Mapping[str, Any] | None=..., headers: Mapping[str, str] | None=..., retries: int=..., retry_on: Sequence[int]=..., **settings: Any) -> Iterator[list[Any]]:
        ...

    def trigger_action(self, name: str, input: Any=...) -> Any:
        ...

class BlockingActionContext(BlockingContext):

    def delete(self, endpoint: str, **options: Any) -> Response:
        ...

class BlockingSyncContext(BlockingContext):

    def save(self, records: Any, *, model: Any=..., checkpoint: Any=...) -> None:
        ...

    def delete(self, ids: Any, *, model: Any=...) -> int:
        ...

    def track_deletes(self, model: Any=..., *, allow_empty: bool=...) -> AbstractContextManager[None]:
        ...

    def records(self, ids: Sequence[str], *, model: Any=...) -> dict[str, Any]:
        ...

class BlockingStreamedResponse:
    status: int
    headers: Mapping[str, str]

    def iter_bytes(self) -> Iterator[bytes]:
        ...

    def read(self) -> bytes:
        ...

    def close(self) -> None:
        ...
