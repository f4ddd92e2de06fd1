"""How a run ended, from what its process said or from how it died. Pure."""

import signal
from collections.abc import Mapping
from typing import Any, cast

from dragoman_server.runners.host.zygotes import Exit
from dragoman_server.runners.port import Failed, Interrupted, Limits, RunError, RunOutcome, Succeeded, Usage

_LONGEST = 16 * 1024


def outcome_of_message(head: Mapping[str, Any], output: bytes, usage: Usage, limits: Limits) -> RunOutcome:
    """What the guest said; it is the author's code, so every value is checked."""
    used = Usage(usage.wall_ms, _number(head.get("cpu_ms")), int(_number(head.get("max_memory_bytes"))))
    if head.get("ok") is True:
        if len(output) > limits.output_bytes:
            text = f"The answer is {len(output)} bytes long, more than the {limits.output_bytes} allowed."
            return Failed(RunError("script_output_too_large", text), used)
        return Succeeded(output if head.get("has_output") else None, used)
    found = head.get("error")
    error: Mapping[str, Any] = cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
    upstream, issues, trace = error.get("upstream"), error.get("issues"), error.get("traceback")
    return Failed(
        RunError(
            code=str(error.get("code", "function_runtime_other"))[:100],
            message=str(error.get("message", "The function failed."))[:_LONGEST],
            payload=error.get("payload"),
            upstream=cast("Mapping[str, Any]", upstream) if isinstance(upstream, dict) else None,
            issues=[
                cast("Mapping[str, Any]", issue) for issue in cast("list[Any]", issues)[:100] if isinstance(issue, dict)
            ]
            if isinstance(issues, list)
            else (),
            traceback=trace[:_LONGEST] if isinstance(trace, str) else None,
        ),
        used,
    )


def outcome_of_exit(exit_: Exit | None, usage: Usage, limits: Limits) -> RunOutcome:
    """A process that ended without a word."""
    if exit_ is None:
        return Interrupted("runner_lost", usage)
    used = Usage(usage.wall_ms, exit_.cpu_ms, exit_.max_memory_bytes)
    cpu_seconds = limits.cpu.total_seconds()
    if exit_.status == -signal.SIGXCPU or (exit_.status == -signal.SIGKILL and exit_.cpu_ms >= cpu_seconds * 1000):
        text = f"The function used more than {cpu_seconds:g} seconds of CPU and was ended."
        return Failed(RunError("function_runtime_timed_out", text), used)
    if exit_.status in {-signal.SIGKILL, -signal.SIGABRT}:
        text = "The function's process was killed, most likely because it used more memory than it may."
        return Failed(RunError("function_runtime_out_of_memory", text), used)
    how = f"signal {-exit_.status}" if exit_.status < 0 else f"status {exit_.status}"
    return Failed(RunError("function_runtime_other", f"The function's process ended without an answer ({how})."), used)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e18 else 0.0
