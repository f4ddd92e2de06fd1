"""The three addresses. Plain views: Django runs them in a thread under ASGI."""

import logging
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_POST

from dragoman.client import ApiError, ConnectionFailedError
from dragoman.connect import core
from dragoman.connect.core import ProblemError
from dragoman.connect.django.conf import Configuration, configuration

log = logging.getLogger(__name__)

UNDER_WAY_SECONDS = 60
REMEMBERED_SECONDS = 3 * 24 * 3600
"""Longer than Dragoman tries a delivery (36 hours)."""


@require_POST
@csrf_protect
@never_cache
def session(request: HttpRequest) -> HttpResponse:
    """A connect session for the signed-in user; wants the CSRF token even without the middleware."""
    configured = configuration()
    try:
        return JsonResponse(_session(request, configured), status=201)
    except ProblemError as problem:
        return _refusal(problem)


@csrf_exempt
@require_POST
@never_cache
def webhook(request: HttpRequest) -> HttpResponse:
    """Dragoman tells what happened; its signature over the raw body is what protects this address."""
    configured = configuration()
    try:
        delivery = core.receive(_body(request), dict(request.headers), configured.webhook_signing_key)
    except ProblemError as problem:
        return _refusal(problem)
    cache, key = caches[configured.cache], f"dragoman-delivery:{delivery.id}"
    if not cache.add(key, "under way", UNDER_WAY_SECONDS):
        if cache.get(key) == "handled":
            return HttpResponse(status=204)
        return HttpResponse(status=503, headers={"Retry-After": "5"})
    try:
        if delivery.auth is not None:
            configured.on_auth(delivery.auth)
        elif configured.on_other is not None:
            configured.on_other(delivery.event)
    except BaseException:
        cache.delete(key)
        raise
    cache.set(key, "handled", REMEMBERED_SECONDS)
    return HttpResponse(status=204)


@require_GET
def script(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django passes it
    return HttpResponse(core.script(), content_type="text/javascript; charset=utf-8", headers=dict(core.SCRIPT_HEADERS))


def _session(request: HttpRequest, configured: Configuration) -> dict[str, str]:
    user = configured.user(request)
    if user is None:
        raise core.signed_out()
    wanted = core.read_wanted(_body(request), request.headers.get("Content-Type", ""))
    offered = core.allowed(wanted, configured.integrations)
    whose: dict[str, Any] = core.owner(user)
    client = configured.client
    try:
        if wanted.connection_id is None or wanted.integration is None:
            return core.session_answer(client.connect.create_session(allowed_integrations=offered, **whose))
        theirs = client.connections.page(
            connection_id=wanted.connection_id, integration_id=wanted.integration, end_user_id=user.id, limit=1
        )
        if not theirs:
            raise core.not_theirs()
        made = client.connect.reconnect_session(wanted.connection_id, wanted.integration, **whose)
        return core.session_answer(made)
    except (ApiError, ConnectionFailedError) as error:
        raise core.platform_problem(error) from error


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig:
        raise ProblemError(413, "request_too_large", "The body is too large.") from None


def _refusal(problem: ProblemError) -> JsonResponse:
    if problem.detail is not None:
        log.log(logging.ERROR if problem.status >= 500 else logging.WARNING, "dragoman: %s", problem.detail)
    return JsonResponse(problem.body(debug=settings.DEBUG), status=problem.status)
