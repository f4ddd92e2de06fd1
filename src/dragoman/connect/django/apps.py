"""The application, and a check of its settings that `manage.py check` and every start run."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's name
from django.core.exceptions import ImproperlyConfigured


class DragomanConfig(AppConfig):
    name = "dragoman.connect.django"
    label = "dragoman_connect"
    verbose_name = "Dragoman"

    def ready(self) -> None:
        register(check_settings)


def check_settings(**_: Any) -> list[CheckMessage]:
    """What is wrong with `settings.DRAGOMAN`."""
    from dragoman.connect.django.conf import configuration

    found: list[CheckMessage] = []
    try:
        configuration()
    except ImproperlyConfigured as error:
        found.append(Error(str(error), id="dragoman.E001"))
    guarded = "django.middleware.security.SecurityMiddleware" in settings.MIDDLEWARE
    if guarded and settings.SECURE_CROSS_ORIGIN_OPENER_POLICY == "same-origin":
        # https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-opener-policies
        message = "SECURE_CROSS_ORIGIN_OPENER_POLICY is same-origin: consent windows open cut off from the Connect UI."
        hint = "Set it to same-origin-allow-popups, or set that header on the pages with a button."
        found.append(Warning(message, hint=hint, id="dragoman.W001"))
    return found
