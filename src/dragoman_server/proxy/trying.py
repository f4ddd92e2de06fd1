"""When another try is due. Pure: answer or error, the caller's wishes and the time go in; seconds come out."""

from datetime import datetime

from dragoman_server.egress import EgressResponse, UpstreamTimeoutError, UpstreamUnreachableError
from dragoman_server.providers.model import Credential, Provider
from dragoman_server.providers.retry import backoff, wait_before_retry
from dragoman_server.proxy.model import ProxyRequest


def wait_after_answer(
    provider: Provider,
    answer: EgressResponse,
    body_text: str | None,
    request: ProxyRequest,
    attempt: int,
    now: datetime,
) -> float | None:
    """Return the seconds until the next try, or None if the answer should stand."""
    if attempt >= request.retries:
        return None
    return wait_before_retry(
        provider,
        answer.status,
        answer.headers,
        body_text,
        attempt,
        now,
        retry_on=request.retry_on,
        caller=request.retry_header,
    )


def wait_after_failure(
    error: UpstreamTimeoutError | UpstreamUnreachableError, request: ProxyRequest, attempt: int
) -> float | None:
    """Return the seconds until the next try after no answer came, or None if the error should stand.

    Retries the caller asked for are made whatever the method. Beyond them one try is ours: for a request with an
    Idempotency-Key on a pooled connection that the upstream had closed (without the key, egress does so itself for
    idempotent methods, and nobody may for the others, RFC 9110 section 9.2.2).
    """
    if attempt < request.retries:
        return backoff(attempt)
    stale = isinstance(error, UpstreamUnreachableError) and error.stale
    return 0.0 if stale and attempt == 0 and request.header("idempotency-key") is not None else None


def is_another(fresh: Credential, rejected: Credential) -> bool:
    """Return True if a renewed credential is worth another try."""
    return fresh.values != rejected.values
