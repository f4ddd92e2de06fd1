"""The first thing that runs in a runner process: read the plan, give up rights, find the SDK, become the zygote.

Started as a script (`python -I -S boot.py CONTROL_FD`), before anything of ours can be imported.
"""

import json
import os
import socket
import sys


def main() -> None:
    control = int(sys.argv[1])
    plan = json.loads(_first_order(control))
    os.umask(0o077)
    os.environ.clear()
    os.environ.update({"LANG": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin", "HOME": "/tmp"})  # noqa: S108 - ours alone
    sys.path[:] = [plan["sdk"], *[path for path in sys.path if "site-packages" not in path]]
    if plan.get("packages") and plan["mode"] == "fork":
        sys.path.append(plan["packages"])
    sys.path.append(plan["base"])
    sys.dont_write_bytecode = True

    from dragoman_server.runners.guest import lockdown

    if plan.get("uid"):
        lockdown.drop_to(plan["uid"])
    if plan["tier"] == "contained":
        lockdown.landlock([*plan["readable"], f"/proc/{os.getpid()}"], [], devices=plan["devices"])
        lockdown.seccomp(bytes.fromhex(plan["base_filter"]))
    if plan["tier"] != "off":
        lockdown.no_new_privileges()
        lockdown.hide_memory()
    if plan["tier"] == "sealed":
        lockdown.die_with_parent(os.getppid())  # dropping the user forgot bubblewrap's own
        lockdown.seccomp(bytes.fromhex(plan["guard_filter"]))

    from dragoman_server.runners.guest import zygote

    zygote.main(control, plan)


def _first_order(control: int) -> bytes:
    listening = socket.socket(fileno=os.dup(control))
    data = listening.recv(1 << 20)
    listening.close()
    if not data:
        os._exit(0)
    return data


if __name__ == "__main__":
    main()
