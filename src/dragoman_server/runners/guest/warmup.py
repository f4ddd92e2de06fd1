"""Rehearse a run in the zygote, so that its forks find code specialized, caches filled and memory written already.

What a fresh fork writes to first costs it a page fault and a copied page; most of that is the interpreter's own first
use of everything (inline caches, type versions, method caches). Only functions of this module run here.
"""

import contextlib
import os
import socket
from collections.abc import Iterable
from typing import Any

from dragoman.authoring.functions import ATTRIBUTE, FunctionDefinition, action
from dragoman.authoring.models import adapter_for
from dragoman_server.runners.guest import frames, lockdown, run

TIMES = 24
"""The interpreter specializes code after some eight calls and wants a few more to settle."""


@action(integration="warm", name="sequential")
def _plain(ctx: Any, value: int) -> int:
    ctx.log("warm", value=value)
    ctx.metadata.get()
    return value if ctx.get("/warm").json() else 0


@action(integration="warm", name="looped")
async def _looped(ctx: Any, value: int) -> int:
    ctx.log("warm", value=value)
    await ctx.metadata.get()
    return value if (await ctx.get("/warm")).json() else 0


def rehearse() -> list[dict[str, Any]]:
    """Run both kinds of function to their end, over a socket pair whose other end answers at once; how they ended."""
    definitions: dict[tuple[str, str, str], FunctionDefinition] = {}
    for function in (_plain, _looped):
        definition: FunctionDefinition = getattr(function, ATTRIBUTE)
        definitions[definition.integration, definition.kind, definition.name] = definition
    return [_one(name, definitions) for _ in range(TIMES) for name in ("sequential", "looped")]


def prepare_types(definitions: Iterable[FunctionDefinition]) -> None:
    """Make the adapters of the project's own types, which each run would make again."""
    for definition in definitions:
        for type_ in (definition.input, definition.output, definition.checkpoint, definition.metadata):
            if type_ is not None and type_ is not Any:
                with contextlib.suppress(Exception):  # the run that needs it says what is wrong
                    adapter_for(type_)


def _one(name: str, definitions: dict[tuple[str, str, str], FunctionDefinition]) -> dict[str, Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = {
            "run_id": "0", "attempt": 1, "integration": "warm", "provider": "warm", "connection_id": "warm",
            "environment": "warm", "variant": "base", "paginate": None, "base_url": None, "dry_run": False,
        }  # fmt: skip
        head = {
            "kind": "action", "function": name, "run": context, "has_input": True, "protocol": frames.VERSION,
            "output_bytes": 1024,
        }  # fmt: skip
        ours.sendall(frames.message(frames.START, head, b"1"))
        guest = _Answered(theirs, ours)
        run.serve(guest, "/nonexistent", lambda: definitions, last_act=False)
        if lockdown.landlock_abi():
            os.close(lockdown.ruleset([], []))
        return guest.outcome


class _Answered:
    """The guest's socket, with a host that answers each call as soon as it is sent."""

    def __init__(self, guest: socket.socket, host: socket.socket) -> None:
        self._guest = guest
        self._host = host
        self._parser = frames.Parser()
        self.outcome: dict[str, Any] = {}

    def send(self, data: Any) -> int:
        self.sendall(bytes(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        for found in self._parser.feed(data):
            if found.type == frames.CALL:
                asked, _ = found.message()
                answer = {
                    "id": asked["id"],
                    "value": {"status": 200, "headers": [["content-type", "application/json"]]},
                }
                self._host.sendall(frames.message(frames.REPLY, answer, b'{"warm":true}'))
            elif found.type == frames.OUTCOME:
                self.outcome, _ = found.message()

    def recv(self, size: int) -> bytes:
        return self._guest.recv(size)

    def fileno(self) -> int:
        return self._guest.fileno()

    def setblocking(self, value: bool) -> None:
        self._guest.setblocking(value)
