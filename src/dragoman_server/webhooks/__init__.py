"""Telling customers what happened: signed webhooks, retried for a day, listed and sent again on request.

Stories put facts (`fact_for_auth`, `fact_for_sync`, …) into the outbox; the relay's handler `Webhooks.handle` makes
deliveries; `Deliverer` sends them; doors list and redeliver. Stores messages, destinations with their circuits,
deliveries and attempts for 30 days. The handler and the deliverer run in work processes, as many as there are.
`inbound.py` says whether a provider's call is really the provider's; the story of such a call is
`flows/inbound_webhook.py`.
"""

from dragoman_server.webhooks.deliverer import Deliverer
from dragoman_server.webhooks.facts import (
    KIND,
    ConnectionRef,
    fact_for,
    fact_for_async_action,
    fact_for_auth,
    fact_for_sync,
    fact_for_sync_error,
)
from dragoman_server.webhooks.loops import DeliveryKeeper
from dragoman_server.webhooks.model import Attempt, Delivery, DeliveryFilter, DeliveryId, Page
from dragoman_server.webhooks.payloads import EndUserInfo
from dragoman_server.webhooks.service import Webhooks
from dragoman_server.webhooks.signing import SigningKeys, standard_secret

__all__ = [
    "KIND",
    "Attempt",
    "ConnectionRef",
    "Deliverer",
    "Delivery",
    "DeliveryFilter",
    "DeliveryId",
    "DeliveryKeeper",
    "EndUserInfo",
    "Page",
    "SigningKeys",
    "Webhooks",
    "fact_for",
    "fact_for_async_action",
    "fact_for_auth",
    "fact_for_sync",
    "fact_for_sync_error",
    "standard_secret",
]
