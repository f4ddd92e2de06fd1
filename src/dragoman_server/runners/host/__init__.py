"""The driver of this machine's runners: stages the runtime, starts a zygote per deployment, forks a process per run,
carries its calls to `GuestCalls`, and ends whatever passes a limit. Called by `jobs` and by the deploy flow through
`port.RunnerHost`; lives in the work process.
"""

from dragoman_server.runners.host.service import HostSettings, LocalRunnerHost
from dragoman_server.runners.host.tiers import detect_tier

__all__ = ["HostSettings", "LocalRunnerHost", "detect_tier"]
