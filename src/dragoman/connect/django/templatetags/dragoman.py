"""`{% dragoman_script %}` once a page, `{% dragoman_button "Connect" integration="github" %}` where the button is."""

from django.middleware.csrf import get_token
from django.template import Context, Library
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from dragoman.connect import core

register = Library()


@register.simple_tag
def dragoman_script() -> SafeString:
    return mark_safe(core.script_tag(reverse("dragoman:script")))  # noqa: S308  escaped by script_tag


@register.simple_tag(takes_context=True)
def dragoman_button(
    context: Context,
    label: str,
    *,
    integration: str | None = None,
    connection_id: str | None = None,
    lang: str | None = None,
    theme: str | None = None,
    css_class: str | None = None,
) -> SafeString:
    """With `connection_id` (and its integration): to connect that one again."""
    html = core.button(
        label,
        session_url=reverse("dragoman:session"),
        integration=integration,
        connection_id=connection_id,
        csrf_token=get_token(context["request"]),
        lang=lang,
        theme=theme,
        css_class=css_class,
    )
    return mark_safe(html)  # noqa: S308  escaped by button
