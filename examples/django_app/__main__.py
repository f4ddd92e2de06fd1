"""`python -m examples.django_app`, beside `dragoman up --simulate --data-dir .simulated`."""

import os
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from examples.setting_up import USERS, arguments, find_platform, set_up


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


def main() -> None:
    given = arguments("django_app", 8002)
    platform = find_platform(given.data_dir)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "examples.django_app.settings",
        "DRAGOMAN_URL": platform.url,
        "DRAGOMAN_API_KEY": platform.api_key,
        "DRAGOMAN_WEBHOOK_SIGNING_KEY": platform.webhook_signing_key,
    }
    django.setup()
    call_command("check", verbosity=0)
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User

    for name, full_name in USERS.items():
        first, _, last = full_name.partition(" ")
        User.objects.get_or_create(username=name, defaults={"first_name": first, "last_name": last})
    with make_server("127.0.0.1", given.port, get_wsgi_application(), Server, Quiet) as server:
        own_url = f"http://127.0.0.1:{server.server_port}"
        set_up(platform, own_url)
        print(f"The example listens on {own_url}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
