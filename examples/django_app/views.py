"""The page, signing in, the list, a call; and `remember`, which the webhook calls."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from dragoman import ApiError
from dragoman.connect.core import AuthEvent
from dragoman.connect.django.conf import configuration
from examples.django_app.models import Connection
from examples.setting_up import CALLS, INTEGRATIONS, USERS

SCRIPT = Path(__file__).parent / "static" / "page.js"


def remember(event: AuthEvent) -> None:
    if event.success and event.end_user_id is not None:
        owner = User.objects.get(pk=event.end_user_id)
        found = {"integration": event.integration, "owner": owner, "problem": ""}
        Connection.objects.update_or_create(connection_id=event.connection_id, defaults=found)
    elif event.operation == "refresh":
        Connection.objects.filter(connection_id=event.connection_id).update(problem="connect again")


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    response = render(request, "page.html", {"users": USERS, "integrations": INTEGRATIONS})
    # No inline script anywhere, and no frame but Dragoman's.
    response["Content-Security-Policy"] = f"default-src 'self'; frame-src {settings.DRAGOMAN['URL']}"
    return response


@require_GET
def page_script(_request: HttpRequest) -> FileResponse:
    return FileResponse(SCRIPT.open("rb"), content_type="text/javascript")


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    login(request, get_object_or_404(User, username=request.POST.get("user")))
    return redirect("/")


@require_GET
def connections(request: HttpRequest) -> JsonResponse:
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    found = Connection.objects.filter(owner=request.user)
    listed = [{"id": c.connection_id, "integration": c.integration, "problem": c.problem} for c in found]
    return JsonResponse(listed, safe=False)


@require_GET
def call(request: HttpRequest, connection_id: str) -> JsonResponse:
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    found = get_object_or_404(Connection, connection_id=connection_id, owner=request.user)
    key = found.integration
    try:
        answer = configuration().client.proxy("GET", CALLS[key], connection_id=connection_id, integration_id=key)
    except ApiError as error:
        return JsonResponse({"detail": error.message}, status=502)
    return JsonResponse({"status": answer.status_code, "answer": answer.json()})
