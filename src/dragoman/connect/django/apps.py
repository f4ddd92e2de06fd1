"""The application, and a check of its settings that `manage.py check` and every start run."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
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

    try:
        configuration()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="dragoman.E001")]
    return []
