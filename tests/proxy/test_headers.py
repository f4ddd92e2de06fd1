import asyncio

from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.proxy.headers import forwarded_headers
from dragoman_server.proxy.slots import Slots

names = st.one_of(
    st.sampled_from([b"Connection", b"KEEP-ALIVE", b"Set-Cookie", b"Transfer-Encoding", b"Access-Control-Allow-Origin", b"TE", b"Date",
                     b"Upgrade", b"Proxy-Authenticate", b"Content-Type", b"Content-Length", b"ETag", b"X-Custom", b"Link"]),
    st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True),
)  # fmt: skip
headers = st.lists(st.tuples(names, st.from_regex(rb"[ -~]{0,20}", fullmatch=True)), max_size=12)


@given(headers, st.sampled_from([200, 204, 304, 404, 500]))
def test_nothing_of_another_hop_or_origin_passes(given_headers: list[tuple[bytes, bytes]], status: int) -> None:
    out = forwarded_headers(given_headers, status=status)

    kept = {name for name, _ in out}
    assert not kept & {
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"set-cookie",
        b"set-cookie2",
        b"date",
    }
    assert not any(name.startswith((b"access-control-", b"proxy-authenticate")) for name in kept)
    assert all(name == name.lower() for name in kept)


@given(headers)
def test_ordinary_headers_pass_unchanged_and_in_order(given_headers: list[tuple[bytes, bytes]]) -> None:
    ordinary = [(n, v) for n, v in given_headers if n.lower().startswith(b"x-")]

    out = forwarded_headers(ordinary, status=200)

    assert out == [(n.lower(), v) for n, v in ordinary]


@given(st.lists(st.from_regex(rb"x-[a-z]{1,5}", fullmatch=True), max_size=4))
def test_headers_that_connection_names_are_dropped(named: list[bytes]) -> None:
    given_headers = [(b"Connection", b", ".join([b"close", *named])), *((n, b"1") for n in named), (b"y-kept", b"1")]

    assert forwarded_headers(given_headers, status=200) == [(b"y-kept", b"1")]


def test_a_body_less_answer_states_no_length_and_no_answer_states_two() -> None:
    assert forwarded_headers([(b"Content-Length", b"5")], status=304) == []
    assert forwarded_headers([(b"Content-Length", b"5"), (b"Content-Length", b"5")], status=200) == [
        (b"content-length", b"5")
    ]


@given(st.lists(st.sampled_from(["take", "give", "cancel", "late"]), max_size=40), st.integers(1, 3))
def test_slots_are_never_over_given_and_never_lost(steps: list[str], limit: int) -> None:
    async def play() -> None:
        slots: Slots[int] = Slots(limit)
        held = 0
        waiting: list[asyncio.Task[bool]] = []
        for step in steps:
            waiting = [task for task in waiting if not task.done()]
            if step == "take":
                waiting.append(asyncio.create_task(slots.take(1, 30)))
            elif step == "late":
                waiting.append(asyncio.create_task(slots.take(1, 0)))
            elif step == "cancel" and waiting:
                waiting.pop(0).cancel()
            elif step == "give" and slots.in_use(1) and held:
                slots.give(1)
                held -= 1
            before = list(waiting)
            for _ in range(4):
                await asyncio.sleep(0)
            held += sum(1 for task in before if task.done() and not task.cancelled() and task.result())
            assert slots.in_use(1) == held <= limit
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in range(held):
            slots.give(1)
        assert slots.in_use(1) == 0

    asyncio.run(play())


def test_an_upstream_cannot_pass_its_answer_off_as_the_platforms_own_error() -> None:
    assert forwarded_headers([(b"X-Dragoman-Error", b"true"), (b"X-Other", b"1")], status=500) == [(b"x-other", b"1")]
