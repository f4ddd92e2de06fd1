"""P12: memory of 20 warm deployments, of children that run, and what is left after idle eviction.

Target: <= 30 MB PSS a deployment, <= 4 MB a running child, nothing after idle eviction.
"""

import threading
import time
import uuid
from collections.abc import Iterator

from benchmarks.process_tree import pss_megabytes
from benchmarks.result import Result
from benchmarks.rig import Size, benchmark, is_lent, supervisor
from benchmarks.world import World, deploy, open_world
from dragoman import Client
from tests.support import processes
from tests.support.platform import poll_until


def tenants(world: World, count: int) -> list[Client]:
    """Environments with the functions deployed and a connection each."""
    found: list[Client] = []
    with world.platform.account() as account:
        for _ in range(count):
            made = account.account.create_environment(f"d-{uuid.uuid4().hex[:10]}")
            key = account.account.create_api_key(made["id"], "bench")["secret"]
            api = Client(url=world.platform.url, api_key=key)
            api.integrations.create(
                world.integration, "bench", credentials={"type": "OAUTH2", "client_id": "id", "client_secret": "secret"}
            )
            world.connect("c0", api)
            found.append(api)
    deploy(found, world.integration)
    return found


def runners(worker: int) -> list[processes.Found]:
    return processes.below(worker)


def memory_of(worker: int) -> float:
    """PSS of everything below the worker process."""
    return sum(pss_megabytes(one.pid) for one in runners(worker) if one.parent == worker)


def run(size: Size) -> Iterator[Result]:
    """Warm, busy, evicted."""
    count = size.pick(2, 20, 20)
    idle = size.pick(2, 30, 30)
    settings = {"DRAGOMAN_RUNNER_IDLE_SECONDS": str(idle), "DRAGOMAN_ACTION_SLOTS": "32"}
    with open_world(None if is_lent() else settings) as world:
        [worker] = processes.workers(supervisor(world.platform))
        apis = tenants(world, count)
        for api in apis:
            assert api.actions.trigger(world.integration, "c0", "echo", 1) == 2
        time.sleep(0.5)  # ended children are gone
        warm = memory_of(worker.pid)
        said = f"{count} environments, pydantic models; with what waits forked ahead, shared pages shared"
        yield Result("P12", "a warm deployment: memory (PSS)", warm / count, "MB", 30, conditions=said)

        resting = [threading.Thread(target=_rest, args=(api, world.integration)) for api in apis]
        for one in resting:
            one.start()
        counter = f"resting-{world.integration}"
        poll_until(lambda: world.upstream.ask("/counts").get(counter, 0) >= count, "all children run")
        busy = memory_of(worker.pid)
        yield Result(
            "P12", "a running child: memory (PSS)", (busy - warm) / count, "MB", 4, conditions=f"{count} at once"
        )
        for one in resting:
            one.join()
        poll_until(lambda: not runners(worker.pid), "idle runners evicted", seconds=idle + 60, every=0.5)
        yield Result("P12", "after idle eviction", len(runners(worker.pid)), "processes", 0)
        for api in apis:
            api.close()


def _rest(api: Client, integration: str) -> None:
    assert api.actions.trigger(integration, "c0", "rest", 3.0) is True


if __name__ == "__main__":
    benchmark(run)
