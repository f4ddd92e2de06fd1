"""Facts that must be acted on after a commit: webhooks to send, tasks to submit, schedules to bring in step.

`put` writes them on the caller's connection, in the transaction of what they follow from; a `Relay` (work process, as
many as there are) hands them to the handlers of their kind, again and again until one succeeds. Handlers are
idempotent by the fact's key. Stores `outbox.facts`: what is waiting, and what was parked after too many failures.
"""

from dragoman_server.outbox.hints import CHANNEL, Nudger
from dragoman_server.outbox.model import Fact, FactsFailedError, NotYetError, ParkedFact, StoredFact
from dragoman_server.outbox.relay import Handler, Relay
from dragoman_server.outbox.service import backlog, forget_environment, hurry, parked, put, release

__all__ = [
    "CHANNEL",
    "Fact",
    "FactsFailedError",
    "Handler",
    "NotYetError",
    "Nudger",
    "ParkedFact",
    "Relay",
    "StoredFact",
    "backlog",
    "forget_environment",
    "hurry",
    "parked",
    "put",
    "release",
]
