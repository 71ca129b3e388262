"""What is kept of an answered request: counts of all, log lines of those that somebody will look for."""

from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.decision import Decision
from mlsd_framework.runtime.serving.http import RefusalError
from mlsd_framework.runtime.serving.logs import Log, LogPolicy
from mlsd_framework.runtime.serving.telemetry import Telemetry

_SHED = (429, 503)


class Recorder:
    """Counts and logs the answers of one worker."""

    def __init__(self, telemetry: Telemetry, log: Log, policy: LogPolicy) -> None:
        """Count in `telemetry`, write to `log` what `policy` asks for."""
        self._telemetry = telemetry
        self._counts = telemetry.counts
        self._log = log
        self._policy = policy
        self._quiet = 0

    def decided(self, endpoint: str, call: Call, decision: Decision) -> None:
        """Record a decision: its action, the rules that fired, what it had to do without."""
        counts = self._counts
        counts["decisions", endpoint, decision.action] += 1
        for reason in decision.reasons:
            if reason.kind == "rule":
                counts["rules", endpoint, reason.name] += 1
        for stage in call.over_budget:
            counts["over_budget", endpoint, stage] += 1
        for stage, error in call.failures:
            self._degraded(endpoint, call, stage, error)
        if decision.action in self._policy.quiet and not call.degraded:
            self._quiet += 1
            if not self._policy.sample or self._quiet % self._policy.sample:
                return
        self._log.event(
            "decision",
            endpoint=endpoint,
            request_id=call.request_id,
            action=decision.action,
            score=decision.score,
            risk=decision.risk,
            reasons=[reason.name for reason in decision.reasons],
            degraded=call.degraded,
        )

    def _degraded(self, endpoint: str, call: Call, stage: str, error: Exception) -> None:
        count = self._counts["degraded", endpoint, stage] = self._counts["degraded", endpoint, stage] + 1
        # The first, then ever fewer: a dead store fails every request in the same way.
        if count & (count - 1) == 0:
            self._log.failure("stage_degraded", error, request_id=call.request_id, stage=stage, count=count)

    def refused(self, endpoint: str, request_id: str, refusal: RefusalError) -> None:
        """Record a refusal; those of overload are only counted, so that the log does not add to it."""
        self._counts["refused", endpoint, refusal.error.code] += 1
        if refusal.status not in _SHED:
            self._log.event(
                "refused",
                "warning",
                endpoint=endpoint,
                request_id=request_id,
                status=refusal.status,
                code=refusal.error.code,
                message=refusal.error.message,
                paths=[fault.path for fault in refusal.error.faults[:20]],
            )

    def took(self, source: str, taken: int, refused: int) -> None:
        """Count events that callers sent."""
        for outcome, number in (("taken", taken), ("refused", refused)):
            if number:
                self._counts["events", source, outcome] += number

    def shed(self, endpoint: str) -> None:
        """Count a refusal of overload that was sent before the request was begun."""
        self._counts["refused", endpoint, "E6431"] += 1
        self._counts["requests", endpoint, "503"] += 1

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Record that an answer has gone out."""
        self._counts["requests", endpoint, str(status)] += 1
        self._telemetry.endpoint(endpoint).observe(seconds)
