"""Is this a URL webhooks can be sent to? Pure; whether its address may be dialled is decided when it is."""

from urllib.parse import urlsplit

LONGEST = 2048


def check_webhook_url(url: str) -> str | None:
    """Return what is wrong with `url`, or None."""
    if len(url) > LONGEST or any(ord(c) <= 0x20 or ord(c) == 0x7F for c in url):
        return "expected a URL without spaces, of at most 2048 characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "expected an absolute http or https URL"
    if parts.fragment:
        return "a URL to send to has no fragment"
    return None
