"""An AWS role is assumed and requests are signed: checked by moto, which verifies both signatures as AWS does."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from dragoman_server.connect.grants.aws_sts import flow
from dragoman_server.connect.grants.model import Client, HttpAnswer, Need, TokenAnswer, TokenRefusal
from dragoman_server.control.model import Integration
from dragoman_server.providers.sigv4 import Signable, amz_date, authorization
from tests.connect.vendors import only, proxied, typed
from tests.connect.world import World
from tests.connect.world import world as make_world

ENTRY = """
display_name: AWS
docs: https://docs.aws.amazon.com
auth_mode: AWS_SIGV4
connection_config:
  external_id:
    type: string
    title: External id
    description: Set by the session
    automated: true
proxy:
  base_url: {base}
"""
ROLE = "arn:aws:iam::123456789012:role/reader"


def call(base: str, keys: dict[str, str], service: str, form: dict[str, str]) -> httpx.Response:
    """One query-protocol call, signed, with keys AWS knows."""
    body = str(httpx.QueryParams(form)).encode()
    now = datetime.now(UTC)
    headers = [("content-type", "application/x-www-form-urlencoded"), ("x-amz-date", amz_date(now))]
    signed = authorization(
        Signable("POST", f"{base}/", headers, body),
        key=keys["key"],
        secret=keys["secret"],
        region="us-east-1",
        service=service,
        now=now,
    )
    return httpx.post(f"{base}/", content=body, headers={**dict(headers), "authorization": signed})


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[str, dict[str, str]]]:
    """moto with a user who may do all, a role, and from then on signatures and policies are checked."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "6", "MOTO_IAM_LOAD_MANAGED_POLICIES": "false"}
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{base}/moto-api/", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)  # a foreign process starts
        everything = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        )
        none = {"key": "none", "secret": "none"}
        version = {"Version": "2010-05-08"}
        call(base, none, "iam", {"Action": "CreateUser", "UserName": "ours", **version})
        made = call(base, none, "iam", {"Action": "CreateAccessKey", "UserName": "ours", **version}).text
        keys = {
            "key": made.partition("<AccessKeyId>")[2].partition("<")[0],
            "secret": made.partition("<SecretAccessKey>")[2].partition("<")[0],
        }
        policy = {"PolicyName": "all", "PolicyDocument": everything, **version}
        call(base, none, "iam", {"Action": "PutUserPolicy", "UserName": "ours", **policy})
        role = {"RoleName": "reader", "AssumeRolePolicyDocument": everything, **version}
        call(base, none, "iam", {"Action": "CreateRole", **role})
        call(base, none, "iam", {"Action": "PutRolePolicy", "RoleName": "reader", **policy})
        call(base, none, "sts", {"Action": "GetCallerIdentity", "Version": "2011-06-15"})
        yield base, keys
    finally:
        server.kill()
        server.wait()


@pytest.fixture
async def world(database_url: str, tmp_path: Path, aws: tuple[str, dict[str, str]]) -> Any:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "cloud.yaml").write_text(ENTRY.format(base=aws[0]), "utf-8")
    async with make_world(database_url, tmp_path) as made:
        yield made


async def cloud(world: World, aws: tuple[str, dict[str, str]], **custom: str) -> Integration:
    base, keys = aws
    own = {
        "aws_access_key_id": keys["key"],
        "aws_secret_access_key": keys["secret"],
        "aws_sts_url": f"{base}/",
        "service": "s3",
        **custom,
    }
    return await world.one.integrations.create(world.environment.id, "cloud", "cloud", custom=own)


PRESET = {"cloud": {"connection_config": {"external_id": "customer-1"}}}


async def test_a_role_is_assumed_and_requests_are_accepted_by_aws(
    world: World, aws: tuple[str, dict[str, str]]
) -> None:
    made = await cloud(world, aws)
    body = {"type": "AWS_SIGV4", "role_arn": ROLE, "region": "us-east-1"}
    answer = await typed(world, "/auth/aws-sigv4/cloud", body, integrations_config_defaults=PRESET)

    assert answer.status_code == 200, answer.text
    connection = await only(world)
    credential = await world.fresh(connection, made)
    assert credential.expires_at is not None
    assert credential.expires_at > datetime.now(UTC) + timedelta(minutes=50)
    assert {
        "access_key_id",
        "secret_access_key",
        "session_token",
        "role_arn",
        "region",
        "service",
        "external_id",
    } == set(credential.values)
    created = await sent(world, made, "PUT", "/bucket-1")
    stored = await sent(world, made, "PUT", "/bucket-1/a b.txt", b"hello")
    read = await sent(world, made, "GET", "/bucket-1/a b.txt")
    listed = await sent(world, made, "GET", "/bucket-1", query=[("list-type", "2"), ("prefix", "a b")])
    tampered = await sent(world, made, "GET", "/bucket-1/a b.txt", elsewhere="/bucket-1/a%20c.txt")

    assert [r.status_code for r in (created, stored, read, listed)] == [200, 200, 200, 200], (created.text, stored.text)
    assert read.content == b"hello"
    assert "a b.txt" in listed.text
    assert tampered.status_code == 403


async def sent(
    world: World,
    made: Integration,
    method: str,
    endpoint: str,
    body: bytes = b"",
    *,
    elsewhere: str | None = None,
    **more: Any,
) -> httpx.Response:
    headers = await proxied(world, made, await only(world), method=method, endpoint=endpoint, body=body, **more)
    url = headers.pop("url")
    assert headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
    if elsewhere is not None:
        url = f"{url.partition('/bucket')[0]}{elsewhere}"
    async with httpx.AsyncClient() as client:
        return await client.request(method, url, headers=headers, content=body)


@pytest.mark.parametrize(
    ("body", "preset", "custom", "code"),
    [
        ({"role_arn": "arn:aws:s3:::bucket"}, PRESET, {}, "invalid_credentials"),
        ({"role_arn": ROLE, "region": "evil.example/"}, PRESET, {}, "invalid_credentials"),
        ({"role_arn": ROLE}, {}, {}, "invalid_credentials"),
        ({"role_arn": ROLE}, PRESET, {"aws_secret_access_key": "wrong-secret-0000"}, "aws_sigv4_sts_request_failed"),
        ({"role_arn": ROLE}, PRESET, {"aws_access_key_id": ""}, "invalid_credentials"),
    ],
)
async def test_what_cannot_be_assumed_is_told(
    world: World, aws: tuple[str, dict[str, str]], body: Any, preset: Any, custom: dict[str, str], code: str
) -> None:
    await cloud(world, aws, **custom)
    answer = await typed(world, "/auth/aws-sigv4/cloud", body, integrations_config_defaults=preset)

    assert answer.json()["error"]["code"] == code
    assert answer.status_code == (502 if "sts" in code else 400)
    assert "wrong-secret" not in answer.text


async def test_the_browser_cannot_choose_the_external_id(world: World, aws: tuple[str, dict[str, str]]) -> None:
    await cloud(world, aws)
    answer = await typed(world, "/auth/aws-sigv4/cloud?params[external_id]=anothers", {"role_arn": ROLE})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_query_params"


def test_an_endpoint_of_the_customers_may_hand_out_the_keys() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    custom = {"sts_endpoint_url": "https://sts.customer.example/keys", "sts_endpoint_api_key": "endpoint-key"}
    values = {"role_arn": ROLE, "region": "eu-west-1", "service": "s3", "external_id": "c1"}
    steps = flow(Need({}, Client("", custom=custom), values, {}, now))
    request = next(steps)
    answer: TokenAnswer | TokenRefusal | None = None
    keys = {
        "access_key_id": "AK",
        "secret_access_key": "SK",
        "session_token": "ST",
        "expires_at": "2026-01-01T00:30:00Z",
    }
    try:
        steps.send(HttpAnswer(200, (), json.dumps(keys).encode()))
    except StopIteration as done:
        answer = done.value

    assert urlsplit(request.url).hostname == "sts.customer.example"
    assert ("authorization", "Bearer endpoint-key") in request.headers
    assert isinstance(answer, TokenAnswer)
    assert answer.life == timedelta(minutes=30)
    assert answer.fields["session_token"] == "ST"
