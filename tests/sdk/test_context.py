# ruff: noqa: A002, SIM105, ARG005
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman import (
    ActionContext,
    ActionError,
    InvalidValueError,
    ProviderError,
    SyncContext,
    action,
    sync,
)
from dragoman.authoring.functions import definition_of
from dragoman.authoring.running import failure_of, run_function
from tests.sdk.memory import RUN, MemoryTransport, pages


class Contact(pydantic.BaseModel):
    id: str
    name: str = ""


class Place(msgspec.Struct):
    id: int
    name: str = ""


@dataclasses.dataclass
class Deal:
    id: str
    value: float = 0


class Mark(pydantic.BaseModel):
    page: int


def play(function: Callable[..., Any], transport: MemoryTransport, value: Any = None, **run: Any) -> Any:
    definition = definition_of(function)
    assert definition is not None
    raw = None if value is None else json.dumps(value).encode()
    answer = run_function(definition, transport, {**RUN, **run}, raw)
    return None if answer is None else json.loads(answer)


@pytest.mark.parametrize("model", [Contact, Place, Deal])
def test_records_of_every_kind_of_model_are_saved_as_json(model: Any) -> None:
    kind: Any = int if model is Place else str

    @sync(integration="crm", models=[model])
    def copy(ctx: Any) -> None:
        ctx.save([model(id=kind("1")), model(id=kind("2"))])

    transport = MemoryTransport()
    play(copy, transport)

    ((params, body),) = transport.of("save")
    assert params["model"] == model.__name__
    assert params["ids"] == ["1", "2"]
    assert [str(record["id"]) for record in json.loads(body)] == ["1", "2"]


def test_an_async_function_and_a_plain_one_make_the_same_calls() -> None:
    @sync(integration="crm", models=[Contact], checkpoint=Mark)
    async def one(ctx: SyncContext) -> None:
        async with ctx.track_deletes(Contact):
            async for page in ctx.paginate(
                "/c",
                type="cursor",
                cursor_path_in_response="next",
                cursor_name_in_request="after",
                response_path="items",
            ):
                await ctx.save(page, model=Contact, checkpoint=Mark(page=1))
        await ctx.delete(["9"])
        await ctx.metadata.update(seen=True)

    @sync(integration="crm", models=[Contact], checkpoint=Mark)
    def other(ctx: Any) -> None:
        with ctx.track_deletes(Contact):
            for page in ctx.paginate(
                "/c",
                type="cursor",
                cursor_path_in_response="next",
                cursor_name_in_request="after",
                response_path="items",
            ):
                ctx.save(page, model=Contact, checkpoint=Mark(page=1))
        ctx.delete(["9"])
        ctx.metadata.update(seen=True)

    made: list[MemoryTransport] = []
    for function in (one, other):
        transport = MemoryTransport()
        transport.answers["proxy"] = pages(
            (200, {}, b'{"items":[{"id":"1"}],"next":"b"}'),
            (200, {}, b'{"items":[],"next":"c"}'),
            (200, {}, b'{"items":[{"id":"2"}]}'),
        )
        from dragoman.authoring.transport import Reply

        transport.answers["delete"] = lambda params, _: Reply({"deleted": len(params["ids"])})
        play(function, transport)
        made.append(transport)

    assert made[0].calls == made[1].calls
    assert [name for name, _, _ in made[0].calls] == [
        "open_tracking", "proxy", "save", "proxy", "save_checkpoint", "proxy", "save", "close_tracking", "delete", "write_metadata",
    ]  # fmt: skip


def test_batches_are_numbered_and_split_at_a_thousand_in_call_order() -> None:
    @sync(integration="crm", models=[Contact])
    def copy(ctx: Any) -> None:
        ctx.save([Contact(id=str(number)) for number in range(2500)])
        ctx.save(Contact(id="last"))

    transport = MemoryTransport()
    play(copy, transport)

    saves = [params for params, _ in transport.of("save")]
    assert [(params["batch"], len(params["ids"])) for params in saves] == [(1, 1000), (2, 1000), (3, 500), (4, 1)]
    assert [id_ for params in saves for id_ in params["ids"]] == [*map(str, range(2500)), "last"]


def test_a_checkpoint_travels_with_the_last_chunk_only() -> None:
    @sync(integration="crm", models=[Contact], checkpoint=Mark)
    def copy(ctx: Any) -> None:
        assert ctx.checkpoint.get() == Mark(page=3)
        ctx.save([Contact(id=str(number)) for number in range(1001)], checkpoint=Mark(page=4))
        assert ctx.checkpoint.get() == Mark(page=4)

    transport = MemoryTransport()
    play(copy, transport, checkpoint_bytes=b'{"page":3}')

    (first, _), (last, body) = transport.of("save")
    assert "checkpoint" not in first
    assert body[-last["checkpoint"] :] == b'{"page":4}'


def test_the_first_of_two_records_with_one_id_wins_and_is_told() -> None:
    @sync(integration="crm", models=[Contact])
    def copy(ctx: Any) -> None:
        ctx.save([Contact(id="1", name="first"), Contact(id="1", name="second")])

    transport = MemoryTransport()
    play(copy, transport)

    ((_, body),) = transport.of("save")
    assert json.loads(body) == [{"id": "1", "name": "first"}]
    assert transport.lines[0][0] == "warn"


@pytest.mark.parametrize("bad", [{}, {"id": ""}, {"id": None}, {"id": "x" * 256}, {"id": True}, {"id": "1", "name": 5}])
def test_a_record_that_does_not_fit_saves_nothing(bad: dict[str, Any]) -> None:
    @sync(integration="crm", models=[Contact])
    def copy(ctx: Any) -> None:
        ctx.save([{"id": "1"}, bad])

    transport = MemoryTransport()
    with pytest.raises(InvalidValueError) as caught:
        play(copy, transport)

    assert caught.value.code == "invalid_sync_record"
    assert transport.calls == []


def test_a_struct_that_was_made_with_a_wrong_type_is_refused() -> None:
    @sync(integration="crm", models=[Place])
    def copy(ctx: Any) -> None:
        ctx.save(Place(id=1, name=7))  # type: ignore[arg-type]

    with pytest.raises(InvalidValueError, match="name"):
        play(copy, MemoryTransport())


def test_a_block_that_fails_deletes_nothing() -> None:
    @sync(integration="crm", models=[Contact], track_deletes=True)
    async def copy(ctx: SyncContext) -> None:
        raise RuntimeError

    transport = MemoryTransport()
    with pytest.raises(RuntimeError):
        play(copy, transport)

    assert [name for name, _, _ in transport.calls] == ["open_tracking"]


def test_an_error_of_the_provider_carries_its_answer() -> None:
    @action(integration="crm")
    async def ask(ctx: ActionContext) -> None:
        await ctx.get("/x?key=1")

    transport = MemoryTransport({"proxy": pages((429, {"Retry-After": "3"}, b'{"error":"slow down"}'))})
    with pytest.raises(ProviderError) as caught:
        play(ask, transport)

    failure = failure_of(caught.value)
    assert failure["code"] == "script_http_error"
    assert failure["upstream"] == {"status": 429, "headers": {"retry-after": "3"}, "body": {"error": "slow down"}}
    assert "key" not in failure["message"]


def test_an_action_error_reaches_the_caller_unchanged() -> None:
    failure = failure_of(ActionError("no", {"field": "name"}))

    assert (failure["code"], failure["message"], failure["payload"]) == (
        "action_script_runtime_error",
        "no",
        {"field": "name"},
    )


@pytest.mark.parametrize(
    ("value", "code"), [({"page": "x"}, "invalid_action_input"), ({"page": 0}, "invalid_action_output")]
)
def test_input_and_output_are_checked_against_their_models(value: Any, code: str) -> None:
    class Positive(pydantic.BaseModel):
        page: int = pydantic.Field(ge=1)

    @action(integration="crm", input=Mark, output=Positive)
    def double(ctx: Any, input: Any) -> Any:
        return {"page": input.page}

    assert play(double, MemoryTransport(), {"page": 2}) == {"page": 2}
    with pytest.raises(InvalidValueError) as caught:
        play(double, MemoryTransport(), value)
    assert caught.value.code == code


def test_a_link_may_be_absolute_or_relative_to_the_base() -> None:
    @sync(integration="crm", models=[Contact])
    def copy(ctx: Any) -> None:
        for page in ctx.paginate("/contacts", params={"size": 2}, type="link", link_rel_in_response_header="next"):
            ctx.save(page, model=Contact)

    transport = MemoryTransport(
        {
            "proxy": pages(
                (200, {"Link": '</v1/contacts?p=2>; rel="next", </v1/contacts>; rel="first"'}, b'[{"id":"1"}]'),
                (200, {"link": '<https://elsewhere.test/c>; rel="next"'}, b'[{"id":"2"}]'),
                (200, {}, b"[]"),
            )
        }
    )
    play(copy, transport, base_url="https://api.crm.test/v1")

    asked = [(params["endpoint"], params["query"]) for params, _ in transport.of("proxy")]
    assert asked == [
        ("/contacts", [("size", "2")]),
        ("https://api.crm.test/v1/contacts?p=2", []),
        ("https://elsewhere.test/c", []),
    ]


def test_a_cursor_that_repeats_itself_ends_the_walk() -> None:
    @sync(integration="crm", models=[Contact])
    def copy(ctx: Any) -> None:
        for _ in ctx.paginate(
            "/c", type="cursor", cursor_path_in_response="next", cursor_name_in_request="after", response_path="items"
        ):
            pass

    body = b'{"items":[],"next":"same"}'
    transport = MemoryTransport({"proxy": pages((200, {}, body), (200, {}, body))})
    play(copy, transport)

    assert len(transport.of("proxy")) == 2


@given(total=st.integers(0, 60), limit=st.integers(1, 20))
def test_offsets_walk_every_item_once(total: int, limit: int) -> None:
    seen: list[int] = []

    @sync(integration="crm", models=[Contact])
    def copy(ctx: Any) -> None:
        for page in ctx.paginate("/c", type="offset", limit=limit, limit_name_in_request="limit", response_path=""):
            seen.extend(page)

    from dragoman.authoring.transport import Reply

    def answer(params: Any, _: bytes) -> Reply:
        query = dict(params["query"])
        start = int(query["offset"])
        return Reply(
            {"status": 200, "headers": []}, json.dumps(list(range(total))[start : start + int(query["limit"])]).encode()
        )

    play(copy, MemoryTransport({"proxy": answer}))
    assert seen == list(range(total))


def test_a_long_body_goes_up_in_pieces() -> None:
    @action(integration="crm")
    async def upload(ctx: ActionContext) -> int:
        return (await ctx.post("/files", content=(b"x" * 1000 for _ in range(5)))).status

    transport = MemoryTransport({"proxy": pages((201, {}, b""))})

    assert play(upload, transport) == 201
    assert transport.of("proxy")[0][1] == b"x" * 5000


def test_a_plain_function_that_meets_an_event_loop_is_told_so() -> None:
    import asyncio

    from dragoman.authoring.blocking import run_now

    async def waits() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await future

    async def main() -> None:
        with pytest.raises(RuntimeError, match="async def"):
            run_now(waits())

    asyncio.run(main())
