"""What is kept of an answered request: counts of all, log lines of those that somebody will look for."""

from mlsd_framework.runtime.serving.application import Answer
from mlsd_framework.runtime.serving.call import Call
from mlsd_framework.runtime.serving.decision import Decision
from mlsd_framework.runtime.serving.http import RefusalError
from mlsd_framework.runtime.serving.logs import Log, LogPolicy
from mlsd_framework.runtime.serving.recommendations import Recommendations
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

    def made(self, endpoint: str, call: Call, made: Answer) -> None:
        """Record what a pipeline made, and what it had to do without."""
        for stage in call.over_budget:
            self._counts["over_budget", endpoint, stage] += 1
        for family, *labels in call.counted:
            self._counts[(family, endpoint, *labels)] += 1
        for stage, error in call.failures:
            self._degraded(endpoint, call, stage, error)
        if isinstance(made, Recommendations):
            self._recommended(endpoint, call, made)
        else:
            self._decided(endpoint, call, made)

    def _decided(self, endpoint: str, call: Call, decision: Decision) -> None:
        counts = self._counts
        counts["decisions", endpoint, decision.action] += 1
        for reason in decision.reasons:
            if reason.kind == "rule":
                counts["rules", endpoint, reason.name] += 1
        if decision.action in self._policy.quiet and not call.degraded and self._left_out():
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

    def _recommended(self, endpoint: str, call: Call, made: Recommendations) -> None:
        counts = self._counts
        counts["recommendations", endpoint] += 1
        counts["recommended_items", endpoint] += len(made.items)
        if made.cold_start:
            counts["cold_starts", endpoint] += 1
        for item in made.items:
            for source in item.sources:
                counts["recommended_from", endpoint, source] += 1
        if not call.degraded and self._left_out():
            return
        self._log.event(
            "recommendations",
            endpoint=endpoint,
            request_id=call.request_id,
            version=made.version,
            items=[item.item for item in made.items],
            scores=[item.score for item in made.items],
            sources=[item.sources for item in made.items],
            propensities=[item.propensity for item in made.items],
            cold_start=made.cold_start,
            cached=made.cached,
            degraded=call.degraded,
            # How many answers this line speaks for, so that an estimate from the log can weigh it.
            weight=1 if call.degraded else self._policy.sample,
        )

    def _left_out(self) -> bool:
        """Return whether an answer that nobody will look for is none of the sample."""
        self._quiet += 1
        return not self._policy.sample or self._quiet % self._policy.sample != 0

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
