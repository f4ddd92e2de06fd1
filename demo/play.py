"""The steps of the demo. Each prints what it does and what came of it, and fails by name."""

import html
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from demo.crm import CLIENT_ID, CLIENT_SECRET
from demo.processes import Process
from dragoman import Client
from dragoman.client import ApiError

HERE = Path(__file__).parent
ROOT = HERE.parent
INTEGRATION = "demo-crm"
PATIENCE = 90.0


class StepFailed(Exception):  # noqa: N818 (it ends a step, it is the program's way out)
    """A step did not do what it must; `step` is its name."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


class Play:
    """Holds the processes and what the steps learn from each other."""

    def __init__(self, *, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.port = port
        self.processes: list[Process] = []
        self.started = time.monotonic()
        self.crm_url = ""
        self.server_url = ""
        self.receiver_url = ""
        self.credentials: dict[str, Any] = {}
        self.connection_id = ""
        self.cursor: str | None = None
        self.seen: dict[str, dict[str, Any]] = {}
        self._step = ""

    @property
    def dev(self) -> dict[str, Any]:
        return self.credentials["environments"]["dev"]

    def run(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.step("start the sample third party, a small CRM"):
            self._start_crm()
        with self.step("start Dragoman"):
            self._start_server()
        with Client(url=self.server_url, api_key=self.dev["api_key"]) as api:
            with self.step("start a webhook receiver that verifies signatures"):
                self._start_receiver(api)
            with self.step("set up the integration"):
                self._set_up_integration(api)
            with self.step("deploy the functions with `dragoman deploy dev`"):
                self._deploy()
            with self.step("authorize an account through the Connect flow"):
                self._authorize(api)
            with self.step("the first sync runs by itself"):
                self._first_sync(api)
            with self.step("the CRM changes; the next runs follow"):
                self._follow_changes(api)
            with self.step("run an action: create a contact"):
                self._act(api)
            with self.step("webhooks arrived, signatures verified"):
                self._webhooks()
            with self.step("search the logs"):
                self._search_logs(api)
        self._next_steps()

    # -- steps -------------------------------------------------------------------------------------------------------

    def _start_crm(self) -> None:
        crm = self._spawn("crm", [sys.executable, "-m", "demo.crm", "--evolve-seconds", "0"])
        self.crm_url = crm.wait_for(r"(http://127\.0\.0\.1:\d+)", seconds=20)[1]
        self.say(f"it listens on {self.crm_url}")

    def _start_server(self) -> None:
        server = self._spawn(
            "dragoman",
            [sys.executable, "-m", "dragoman.cli", "up", "--data-dir", str(self.data_dir), "--port", str(self.port)],
            DRAGOMAN_PROVIDERS_DIR=str(HERE / "providers"),
            DRAGOMAN_EGRESS_ALLOW="127.0.0.0/8",
        )
        self.server_url = server.wait_for(r"listens on (http://\S+)", seconds=120)[1]
        self.until(self._is_ready, "the server answers /ready")
        self.credentials = json.loads((self.data_dir / "credentials.json").read_text("utf-8"))
        ready = httpx.get(f"{self.server_url}/ready", timeout=5).json()
        self.say(f"it listens on {self.server_url}; functions are {ready.get('sandbox', {}).get('tier')}")

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.server_url}/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _start_receiver(self, api: Client) -> None:
        key_file = self.data_dir / "demo-signing-key"
        key_file.touch(mode=0o600)
        key_file.write_text(self.dev["webhook_signing_key"], encoding="utf-8")
        command = [sys.executable, "-m", "demo.receiver", "--signing-key-file", str(key_file)]
        receiver = self._spawn("receiver", command)
        url = receiver.wait_for(r"(http://\S+/webhooks)", seconds=20)[1]
        self.receiver_url = url.removesuffix("/webhooks")
        api.environment.set_webhooks(primary_url=url, on_sync_completion_always=True)
        self.say(f"webhooks of the environment dev go to {url}")

    def _set_up_integration(self, api: Client) -> None:
        credentials = {
            "type": "OAUTH2",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": "contacts.read,contacts.write",
        }
        try:
            api.integrations.create(INTEGRATION, INTEGRATION, display_name="Demo CRM", credentials=credentials)
            self.say("integration `demo-crm` made with an OAuth client")
        except ApiError as error:
            if error.status != 400:
                raise
            api.integrations.update(INTEGRATION, credentials=credentials)
            self.say("integration `demo-crm` was there from an earlier start")
        for old in list(api.connections.list(integration_id=INTEGRATION)):
            api.connections.delete(old["connection_id"], INTEGRATION)

    def _deploy(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "dragoman.cli", "deploy", "dev", "--project", str(HERE), "--auto-confirm"],
            env=os.environ | {"DRAGOMAN_URL": self.server_url, "DRAGOMAN_API_KEY": self.dev["api_key"]},
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"dragoman deploy ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        for line in done.stdout.splitlines():
            self.say(line.strip())

    def _authorize(self, api: Client) -> None:
        session = api.connect.create_session(
            end_user={"id": "customer-7", "email": "ada@example.com"},
            allowed_integrations=[INTEGRATION],
            integrations_config_defaults={INTEGRATION: {"connection_config": {"crm_url": self.crm_url}}},
        )
        self.say(f"connect link: {session['connect_link'][:60]}…")
        with httpx.Client(follow_redirects=True, timeout=20) as browser:
            page = browser.get(session["connect_link"])
            if page.status_code != 200:
                raise RuntimeError(f"the Connect UI answered {page.status_code}: {page.text[:300]}")
            # What the page's button opens in a popup; the CRM asks for consent there.
            popup = f"{self.server_url}/oauth/connect/{INTEGRATION}"
            page = browser.get(popup, params={"connect_session_token": session["token"]})
            while (form := first_form(page.text, str(page.url))) is not None:
                method, url, fields = form
                page = browser.get(url, params=fields) if method == "get" else browser.post(url, data=fields)
        if page.status_code != 200:
            raise RuntimeError(f"{page.url.path} answered {page.status_code}: {text_of(page.text)[:300]}")
        found = list(api.connections.list(integration_id=INTEGRATION))
        if not found:
            raise RuntimeError(f"no connection was made; the last page says: {text_of(page.text)[:300]}")
        self.connection_id = found[0]["connection_id"]
        me = api.proxy("GET", "/me", connection_id=self.connection_id, integration_id=INTEGRATION).json()
        self.say(f"connection {self.connection_id} acts for `{me['user']}` at the CRM (seen through the proxy)")

    def _first_sync(self, api: Client) -> None:
        self.until(lambda: self._status(api) == "SUCCESS", "the sync `contacts` succeeds")
        added = self._read_changes(api)
        self.say(f"{added['ADDED']} contacts added")
        if added["ADDED"] < 200:
            raise RuntimeError(f"expected more than 200 contacts, got {added}")

    def _follow_changes(self, api: Client) -> None:
        expected = httpx.post(f"{self.crm_url}/control/evolve", timeout=5).json()
        self.say(f"in the CRM: {expected['added']} added, {expected['updated']} updated, {expected['deleted']} deleted")
        self.say("waiting for the schedule (every 30 seconds) …")
        wanted = {"ADDED": expected["added"], "UPDATED": expected["updated"], "DELETED": expected["deleted"]}
        got = {"ADDED": 0, "UPDATED": 0, "DELETED": 0}

        def arrived() -> bool:
            for action, count in self._read_changes(api).items():
                got[action] += count
            return got == wanted

        try:
            self.until(arrived, "the changes arrive by cursor")
        except RuntimeError as error:
            raise RuntimeError(f"{error}: expected {wanted}, read {got}") from None
        self.say(f"read by cursor: {got['ADDED']} added, {got['UPDATED']} updated, {got['DELETED']} deleted")

    def _act(self, api: Client) -> None:
        new = {"name": "Grace Hopper", "email": "grace@example.com"}
        made = api.actions.trigger(INTEGRATION, self.connection_id, "create_contact", new)
        self.say(f"the action returned contact {made['id']}: {made['name']}")
        try:
            api.actions.trigger(INTEGRATION, self.connection_id, "create_contact", {"name": "x", "email": "nowhere"})
        except ApiError as error:
            self.say(f"a bad input is refused by the function itself: {error.code}, payload {error.payload}")
        else:
            raise RuntimeError("a bad e-mail address was accepted")
        queued = api.actions.trigger_async(INTEGRATION, self.connection_id, "create_contact", new)
        self.say(f"the same, queued: {queued['statusUrl']}")
        api.syncs.trigger(INTEGRATION, ["contacts"], connection_id=self.connection_id)

    def _webhooks(self) -> None:
        wanted = {"auth", "sync", "async_action"}

        def types() -> set[str]:
            events: list[dict[str, Any]] = httpx.get(f"{self.receiver_url}/events", timeout=5).json()
            return {str(e["type"]) for e in events}

        self.until(lambda: wanted <= types(), f"webhooks of the types {', '.join(sorted(wanted))}")
        events: list[dict[str, Any]] = httpx.get(f"{self.receiver_url}/events", timeout=5).json()
        for kind in ("auth", "sync", "async_action"):
            event = next(e for e in reversed(events) if e["type"] == kind)
            self.say(f"{kind}: {json.dumps({k: v for k, v in event.items() if k not in ('from', 'tags')})[:110]}…")

    def _search_logs(self, api: Client) -> None:
        def found() -> bool:
            return any(True for _ in api.logs.operations(search="contacts", limit=5))

        self.until(found, "a search for `contacts` finds operations")
        for operation in api.logs.page(limit=5)["data"]:
            kind = f"{operation['operation']['type']}:{operation['operation']['action']}"
            self.say(f"{operation['created_at'][11:19]} {kind:<24} {operation['state']}")
            for message in api.logs.messages(operation["id"], page_size=3):
                self.say(f"         {message['message'][:90]}")
                break

    def _next_steps(self) -> None:
        took = time.monotonic() - self.started
        print(f"\n✓ everything was shown, in {took:.0f} s\n")
        print(f"  URL          {self.server_url}")
        print(f"  API key      {self.dev['api_key']}   (environment dev)")
        print(f"  connection   {self.connection_id}")
        print(f"  all keys     {self.data_dir / 'credentials.json'}\n")
        print("  Next: curl -H 'Authorization: Bearer <key>' <URL>/connections · edit demo/functions/crm.py and deploy")
        print("  again · docs/tutorial/first-sync.md for a provider of your own.\n", flush=True)

    # -- what the steps use ------------------------------------------------------------------------------------------

    def _status(self, api: Client) -> str:
        found = api.syncs.status(INTEGRATION, ["contacts"], connection_id=self.connection_id)
        return found[0]["status"] if found else "NONE"

    def _read_changes(self, api: Client) -> dict[str, int]:
        counted = {"ADDED": 0, "UPDATED": 0, "DELETED": 0}
        where: dict[str, Any] = {"connection_id": self.connection_id, "integration_id": INTEGRATION}
        for record in api.records.list("Contact", cursor=self.cursor, page_size=100, **where):
            metadata = record["_nango_metadata"]
            counted[metadata["last_action"]] += 1
            self.cursor = metadata["cursor"]
        return counted

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Ask again and again until it is so; raise RuntimeError after a minute and a half."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {PATIENCE:.0f} s: {what}")
            for process in self.processes:
                if not process.alive():
                    raise RuntimeError(f"{process.name} ended; see {process.log}")
            time.sleep(0.25)

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        self._step = name
        print(f"▸ {name}", flush=True)
        try:
            yield
        except Exception as error:  # whatever went wrong, it went wrong in this step
            raise StepFailed(name, f"{type(error).__name__}: {error}") from error

    def say(self, text: str) -> None:
        print(f"    {text}", flush=True)

    def _spawn(self, name: str, command: list[str], **env: str) -> Process:
        log = self.data_dir / f"{name}.log"
        log.unlink(missing_ok=True)
        process = Process(name, command, log=log, env={"PYTHONUNBUFFERED": "1", **env}, cwd=ROOT)
        self.processes.append(process)
        return process

    def stay(self) -> None:
        print("Everything stays up; Ctrl-C ends it. The CRM changes a little every minute.", flush=True)
        while all(p.alive() for p in self.processes):
            time.sleep(60)
            httpx.post(f"{self.crm_url}/control/evolve", timeout=5)

    def show_output(self) -> None:
        for process in self.processes:
            if process.log.exists():
                tail = process.log.read_text("utf-8", "replace").splitlines()[-15:]
                print(f"\n--- last lines of {process.log}", *tail, sep="\n", file=sys.stderr)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()


_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL | re.IGNORECASE)
_INPUT = re.compile(r"<(?:input|button)\b([^>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'([a-zA-Z-]+)\s*=\s*"([^"]*)"')


def first_form(page: str, address: str) -> tuple[str, str, dict[str, str]] | None:
    """The method, address and filled-in fields of a page's first form: what a person pressing its button sends."""
    match = _FORM.search(page)
    if match is None:
        return None
    attributes = dict(_ATTRIBUTE.findall(match[1]))
    fields: dict[str, str] = {}
    for tag in _INPUT.findall(match[2]):
        given = {k.lower(): html.unescape(v) for k, v in _ATTRIBUTE.findall(tag)}
        if "name" in given:
            fields.setdefault(given["name"], given.get("value", ""))
    url = urljoin(address, html.unescape(attributes.get("action", "")))
    return attributes.get("method", "get").lower(), url, fields


def text_of(page: str) -> str:
    """A page's text without its tags."""
    return " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())
