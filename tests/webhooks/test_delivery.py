"""A webhook arrives, signed, once or more but never not at all, whatever receivers and processes do."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dragoman_server.control.model import WebhookSettings
from dragoman_server.db import Database
from dragoman_server.egress import EgressClient
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.secret import Secret
from dragoman_server.logs.redact import Redactor
from dragoman_server.outbox import Relay, StoredFact, put
from dragoman_server.webhooks import DeliveryFilter, DeliveryId, DeliveryKeeper, SigningKeys, fact_for, standard_secret
from dragoman_server.webhooks.errors import InvalidDeliveryCursorError, UnknownDeliveryError
from tests.conftest import MoveClock
from tests.logs.reading import read_messages, read_operations
from tests.webhooks.receiving import ENV, KEY, OTHER, Receiver, Stand, auth_fact, egress, receiver


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[EgressClient]:
    async with egress() as made:
        yield made


@pytest.fixture
def stand(database: Database, client: EgressClient, hook: Receiver) -> Stand:
    return Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/hook"))


async def test_a_webhook_arrives_with_every_signature(stand: Stand, hook: Receiver) -> None:
    await stand.say(auth_fact())

    assert await stand.deliverer.once() == 1

    [request] = hook.requests
    key = KEY.reveal()
    assert request.headers["x-nango-hmac-sha256"] == hmac.new(key.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-nango-signature"] == hashlib.sha256(key.encode() + request.body).hexdigest()
    assert Webhook(standard_secret(KEY).reveal()).verify(request.body.decode(), request.headers) == json.loads(
        request.body
    )
    assert request.headers["user-agent"] == "dragoman/1.2.3"
    assert request.headers["content-type"] == "application/json"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert json.loads(request.body)["tags"] == {"plan": "größer ✓"}


async def test_a_changed_body_does_not_verify(stand: Stand, hook: Receiver) -> None:
    await stand.say(auth_fact())
    await stand.deliverer.once()

    [request] = hook.requests
    with pytest.raises(WebhookVerificationError):
        Webhook(standard_secret(KEY).reveal()).verify(request.body.decode() + " ", request.headers)


async def test_during_a_rotation_both_keys_verify(database: Database, client: EgressClient, hook: Receiver) -> None:
    old = Secret("the-old-signing-key")

    async def both(_environment_id: EnvironmentId) -> SigningKeys:
        return SigningKeys(KEY, previous=old)

    stand = Stand(database, client, WebhookSettings(primary_url=hook.url), signing_keys=both)
    await stand.say(auth_fact())
    await stand.deliverer.once()

    [request] = hook.requests
    for key in (KEY, old):
        Webhook(standard_secret(key).reveal()).verify(request.body.decode(), request.headers)


async def test_primary_and_secondary_get_the_same_message_an_override_replaces_both(
    database: Database, client: EgressClient, hook: Receiver
) -> None:
    stand = Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/one", secondary_url=f"{hook.url}/two"))

    await stand.say(auth_fact("a"), auth_fact("b", row_id=2, override=f"{hook.url}/own"))
    await stand.deliverer.once()

    assert sorted(r.path for r in hook.requests) == ["/one", "/own", "/two"]
    ids = {r.path: r.headers["webhook-id"] for r in hook.requests}
    assert ids["/one"] == ids["/two"] != ids["/own"]


async def test_a_fact_handled_twice_is_sent_once(stand: Stand, hook: Receiver, database: Database) -> None:
    seen: list[object] = []
    handle = stand.webhooks.handle

    async def twice(facts: Sequence[StoredFact]) -> None:
        seen.append(facts)
        await handle(facts)
        await handle(facts)

    async with database.transaction() as conn:
        await put(conn, [auth_fact()])
    await Relay(database=database, handlers={"webhook": twice}).once()
    await stand.deliverer.once()

    assert len(seen) == 1
    assert len(hook.requests) == 1


async def test_every_answer_but_2xx_is_tried_again_later(
    stand: Stand, hook: Receiver, move_clock: MoveClock, database_url: str
) -> None:
    await stand.say(auth_fact())
    for status in (302, 400, 500):
        hook.status = status
        assert await stand.deliverer.once() == 1
        assert await stand.deliverer.once() == 0
        await move_clock(database_url, timedelta(minutes=5))
    hook.status = 204
    await stand.deliverer.once()

    [delivery] = (await stand.webhooks.list(ENV)).items
    assert (delivery.state, delivery.attempts) == ("success", 4)
    assert len({r.headers["webhook-id"] for r in hook.requests}) == 1
    _, attempts, _ = await stand.webhooks.get(ENV, delivery.id)
    assert [a.status for a in attempts] == [302, 400, 500, 204]


async def test_410_ends_a_delivery_at_once(stand: Stand, hook: Receiver) -> None:
    hook.status = 410
    await stand.say(auth_fact())

    await stand.deliverer.once()

    [delivery] = (await stand.webhooks.list(ENV)).items
    assert (delivery.state, delivery.last_status) == ("failed", 410)


async def test_after_ten_attempts_over_a_day_it_is_given_up(
    stand: Stand, hook: Receiver, move_clock: MoveClock, database_url: str
) -> None:
    hook.status = 503
    await stand.say(auth_fact())

    sent = 0
    for _ in range(40):
        sent += await stand.deliverer.once()
        await move_clock(database_url, timedelta(hours=1))

    [delivery] = (await stand.webhooks.list(ENV)).items
    assert (sent, delivery.state) == (10, "failed")


async def test_a_crash_after_sending_sends_it_again_under_the_same_id(
    database: Database, client: EgressClient, hook: Receiver, move_clock: MoveClock, database_url: str
) -> None:
    dying = Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/hang"))
    await dying.say(auth_fact())
    task = asyncio.create_task(dying.deliverer.once())
    await hook.arrived.wait()
    task.cancel()
    for sending in dying.deliverer._tasks:  # pyright: ignore[reportPrivateUsage] - as dead as its process
        sending.cancel()
    await asyncio.gather(task, return_exceptions=True)
    hook.gate.set()

    other = Stand(database, client, WebhookSettings())
    assert await other.deliverer.once() == 0
    await move_clock(database_url, timedelta(seconds=61))
    assert await other.deliverer.once() == 1

    first, second = hook.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_many_deliverers_send_each_delivery_once(
    database: Database, client: EgressClient, hook: Receiver
) -> None:
    stands = [Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/hook")) for _ in range(4)]
    await stands[0].say(*(auth_fact(f"e{n}") for n in range(40)))

    sent = 1
    while sent:
        sent = sum(await asyncio.gather(*(s.deliverer.once() for s in stands)))

    ids = [r.headers["webhook-id"] for r in hook.requests]
    assert len(ids) == len(set(ids)) == 40


async def test_a_circuit_opens_after_five_failures_and_one_probe_closes_it(
    stand: Stand, hook: Receiver, move_clock: MoveClock, database_url: str
) -> None:
    hook.status = 500
    await stand.say(*(auth_fact(f"e{n}") for n in range(20)))
    while await stand.deliverer.once():
        pass
    at_first = len(hook.requests)

    assert 5 <= at_first < 20
    assert all(d.paused for d in (await stand.webhooks.list(ENV)).items)
    await move_clock(database_url, timedelta(seconds=31))
    assert await stand.deliverer.once() == 1  # the probe fails, the pause doubles
    await move_clock(database_url, timedelta(seconds=31))
    assert await stand.deliverer.once() == 0
    hook.status = 200
    await move_clock(database_url, timedelta(seconds=31))
    assert await stand.deliverer.once() == 1
    assert await stand.deliverer.once() > 1


async def test_two_deliverers_make_one_probe(
    database: Database, client: EgressClient, hook: Receiver, move_clock: MoveClock, database_url: str
) -> None:
    hook.status = 500
    stands = [Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/hook")) for _ in range(3)]
    await stands[0].say(*(auth_fact(f"e{n}") for n in range(20)))
    while await stands[0].deliverer.once():
        pass
    await move_clock(database_url, timedelta(seconds=31))

    sent = await asyncio.gather(*(s.deliverer.once() for s in stands))

    assert sum(sent) == 1


async def test_a_hanging_destination_does_not_hold_up_the_others(
    database: Database, client: EgressClient, hook: Receiver
) -> None:
    stand = Stand(database, client, WebhookSettings(), concurrency=20)
    hanging = [auth_fact(f"h{n}", override=f"{hook.url}/hang") for n in range(50)]
    fine = [auth_fact(f"f{n}", row_id=2, override=f"{hook.url}/fine") for n in range(50)]
    await stand.say(*hanging, *fine)

    async with asyncio.TaskGroup() as group:
        group.create_task(stand.deliverer.run())
        await hook.wait_for("/fine", 50)
        held = hook.count("/hang")
        hook.gate.set()
        await stand.deliverer.stop()

    assert held == 2


async def test_no_answer_in_time_is_a_failure_and_is_said(
    database: Database, client: EgressClient, hook: Receiver
) -> None:
    stand = Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/hang"), timeout=0.1)
    await stand.say(auth_fact())

    await stand.deliverer.once()

    [delivery] = (await stand.webhooks.list(ENV)).items
    assert delivery.state == "pending"
    assert "in time" in (delivery.last_error or "") or "within" in (delivery.last_error or "")


async def test_a_private_destination_is_refused_and_the_log_says_why(database: Database, hook: Receiver) -> None:
    async with egress(allow="") as guarded:
        stand = Stand(database, guarded, WebhookSettings(primary_url=f"{hook.url}/hook"))
        await stand.say(auth_fact())
        await stand.deliverer.once()
        await stand.logs.flush()

    [delivery] = (await stand.webhooks.list(ENV)).items
    assert delivery.state == "failed"
    assert "DRAGOMAN_EGRESS_ALLOW" in (delivery.last_error or "")
    assert hook.requests == []
    assert any("DRAGOMAN_EGRESS_ALLOW" in str(m) for m in await read_messages(database))


async def test_a_receiver_that_is_away_gets_it_when_it_is_back(
    stand: Stand, database: Database, client: EgressClient, move_clock: MoveClock, database_url: str, hook: Receiver
) -> None:
    await stand.say(auth_fact(override="http://127.0.0.1:9/nobody"))

    await stand.deliverer.once()

    [delivery] = (await stand.webhooks.list(ENV)).items
    assert delivery.state == "pending"
    assert "could not be reached" in (delivery.last_error or "")


async def test_what_the_receiver_answers_is_kept_short_and_without_our_key(stand: Stand, hook: Receiver) -> None:
    hook.status = 500
    hook.text = f"bad signature {KEY.reveal()} {base64.b64encode(KEY.reveal().encode()).decode()} \0" + "x" * 5000
    await stand.say(auth_fact())

    await stand.deliverer.once()

    [delivery] = (await stand.webhooks.list(ENV)).items
    _, [attempt], _ = await stand.webhooks.get(ENV, delivery.id)
    assert attempt.excerpt is not None
    assert attempt.excerpt.startswith("bad signature ***")
    assert len(attempt.excerpt) <= 1000


async def test_retry_after_is_honoured(stand: Stand, hook: Receiver, move_clock: MoveClock, database_url: str) -> None:
    hook.status = 429
    hook.answer_headers = {"Retry-After": "600"}
    await stand.say(auth_fact())
    await stand.deliverer.once()

    await move_clock(database_url, timedelta(seconds=500))
    assert await stand.deliverer.once() == 0
    await move_clock(database_url, timedelta(seconds=101))
    assert await stand.deliverer.once() == 1


async def test_a_redelivery_is_a_delivery_of_its_own_with_the_same_message(stand: Stand, hook: Receiver) -> None:
    await stand.say(auth_fact())
    await stand.deliverer.once()
    [first] = (await stand.webhooks.list(ENV)).items

    again = await stand.webhooks.redeliver(ENV, first.id)
    await stand.deliverer.once()

    delivery, _, body = await stand.webhooks.get(ENV, again)
    assert (delivery.redelivery_of, delivery.state, delivery.message_id) == (first.id, "success", first.message_id)
    assert [r.headers["webhook-id"] for r in hook.requests] == [first.message_id] * 2
    assert body.encode() == hook.requests[1].body
    await stand.logs.flush()
    assert [(o["kind"], o["state"]) for o in await read_operations(stand.database)] == [
        ("webhook:connection_create", "success")
    ] * 2


async def test_another_environment_sees_and_redelivers_nothing(stand: Stand) -> None:
    await stand.say(auth_fact())
    [delivery] = (await stand.webhooks.list(ENV)).items

    assert (await stand.webhooks.list(OTHER)).items == []
    with pytest.raises(UnknownDeliveryError):
        await stand.webhooks.get(OTHER, delivery.id)
    with pytest.raises(UnknownDeliveryError):
        await stand.webhooks.redeliver(OTHER, delivery.id)


async def test_the_list_pages_through_everything_and_filters(stand: Stand, hook: Receiver) -> None:
    await stand.say(*(auth_fact(f"e{n}", row_id=n % 2) for n in range(7)))
    while await stand.deliverer.once():
        pass

    seen: list[DeliveryId] = []
    cursor: str | None = None
    while True:
        page = await stand.webhooks.list(ENV, cursor=cursor, limit=3)
        seen += [d.id for d in page.items]
        if (cursor := page.cursor) is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7
    only = await stand.webhooks.list(ENV, DeliveryFilter(connections=["conn-1"], states=["success"], types=["auth"]))
    assert len(only.items) == 3


@pytest.mark.parametrize("cursor", ["", "w1_", "w2_" + "0" * 32, "w1_" + "x" * 32, "é" * 50])
async def test_a_foreign_cursor_is_refused(stand: Stand, cursor: str) -> None:
    with pytest.raises(InvalidDeliveryCursorError) as caught:
        await stand.webhooks.list(ENV, cursor=cursor)

    assert (caught.value.status, caught.value.public_code) == (400, "invalid_query_params")


async def test_unwanted_messages_are_not_sent(database: Database, client: EgressClient, hook: Receiver) -> None:
    stand = Stand(database, client, WebhookSettings(primary_url=hook.url, on_auth_creation=False))

    await stand.say(auth_fact())

    assert await stand.deliverer.once() == 0


async def test_erasing_a_connection_erases_what_was_said_about_it(stand: Stand, hook: Receiver) -> None:
    await stand.say(auth_fact("a", row_id=1), auth_fact("b", row_id=2))
    await stand.deliverer.once()

    assert await stand.webhooks.erase_connection(ENV, ConnectionRowId(1)) == 1

    assert [d.connection for d in (await stand.webhooks.list(ENV)).items] == ["conn-2"]


async def test_old_deliveries_are_forgotten_and_hopeless_ones_given_up(
    stand: Stand, database: Database, hook: Receiver, move_clock: MoveClock, database_url: str
) -> None:
    await stand.say(auth_fact("a"))
    await stand.deliverer.once()
    await stand.say(auth_fact("b"))
    keeper = DeliveryKeeper(database=database, logs=stand.logs)

    await move_clock(database_url, timedelta(hours=37))
    await keeper.once()
    states = [d.state for d in (await stand.webhooks.list(ENV)).items]
    await move_clock(database_url, timedelta(days=31))
    await keeper.once()

    assert states == ["failed", "success"]
    assert (await stand.webhooks.list(ENV)).items == []


async def test_a_delivery_is_an_operation_in_the_logs_without_the_key(stand: Stand, hook: Receiver) -> None:
    hook.text = f"I know {KEY.reveal()}"
    await stand.say(auth_fact())
    await stand.deliverer.once()
    await stand.logs.flush()

    [operation] = await read_operations(stand.database)
    messages = await read_messages(stand.database)
    assert (operation["kind"], operation["state"], operation["connection"]) == (
        "webhook:connection_create",
        "success",
        "conn-1",
    )
    assert not Redactor([KEY.reveal()]).shows(repr(operation) + repr(messages))


async def test_forwarded_headers_travel_along(stand: Stand, hook: Receiver) -> None:
    await stand.say(
        fact_for(ENV, "fwd", {"from": "github", "type": "forward", "payload": {"a": 1}}, headers={"x-gh": "1"})
    )

    await stand.deliverer.once()

    assert hook.requests[0].headers["x-gh"] == "1"


async def test_a_flood_for_paused_destinations_does_not_hide_the_healthy_one(
    database: Database, client: EgressClient, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman_server.webhooks.deliverer.HOPS", 3)
    hook.status = 500
    stand = Stand(database, client, WebhookSettings())
    await stand.say(*(auth_fact(f"d{n}", override=f"{hook.url}/dead{n}") for n in range(10)))
    for _ in range(5):
        await stand.deliverer.once()
    hook.status = 200
    await stand.say(auth_fact("fine", override=f"{hook.url}/fine"))

    for _ in range(5):
        await stand.deliverer.once()

    assert "/fine" in {r.path for r in hook.requests}
