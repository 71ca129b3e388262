"""Counters: cheap to add to, the same text whoever is asked."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from mlsd_framework.runtime.serving.telemetry import Telemetry


def values(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Parse an exposition as Prometheus' own client does."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_workers_add_up(tmp_path: Path) -> None:
    """Whichever worker is asked, counts are the sums over all, and gauges are each worker's own."""
    workers = [Telemetry("s", "v1", name, tmp_path) for name in ("a", "b")]
    for number, worker in enumerate(workers, start=1):
        worker.counts["requests", "/decide", "200"] += number
        worker.stage("/decide", "fetch").observe(0.0012 * number)
        worker.endpoint("/decide").observe(0.1)
        worker.in_flight = number
        worker.flush()
    texts = [values(worker.text()) for worker in workers]
    assert texts[0] == texts[1]
    assert texts[0]["mlsd_requests_total", frozenset({("endpoint", "/decide"), ("status", "200")})] == 3
    stage = {("endpoint", "/decide"), ("stage", "fetch")}
    assert texts[0]["mlsd_stage_seconds_count", frozenset(stage)] == 2
    assert texts[0]["mlsd_stage_seconds_bucket", frozenset(stage | {("le", "0.0015")})] == 1
    assert texts[0]["mlsd_stage_seconds_bucket", frozenset(stage | {("le", "+Inf")})] == 2
    assert texts[0]["mlsd_in_flight", frozenset({("worker", "b")})] == 2


def test_a_successor_goes_on(tmp_path: Path) -> None:
    """A worker of the same name goes on from the counts of the former, and has nothing in flight of its."""
    former = Telemetry("s", "v1", "a", tmp_path)
    former.counts["requests", "/decide", "200"] = 5
    former.endpoint("/decide").observe(0.1)
    former.in_flight = 4
    former.retire()
    found = values(Telemetry("s", "v2", "a", tmp_path).text())
    assert found["mlsd_requests_total", frozenset({("endpoint", "/decide"), ("status", "200")})] == 5
    assert found["mlsd_request_seconds_count", frozenset({("endpoint", "/decide")})] == 1
    assert found["mlsd_in_flight", frozenset({("worker", "a")})] == 0


def test_a_damaged_file_is_left_out(tmp_path: Path) -> None:
    """A file that is no snapshot hides nobody else's counts."""
    (tmp_path / "worker-x.msgpack").write_bytes(b"\x00garbage")
    assert b"mlsd_info" in Telemetry("s", "v1", "a", tmp_path).text()
    Telemetry("s", "v1", "x", tmp_path).flush()


def test_labels_cannot_break_the_text() -> None:
    """Quotes, backslashes and newlines in a label are escaped."""
    telemetry = Telemetry("s")
    telemetry.counts["rules", "/decide", 'a"b\\c\nd'] += 1
    assert ("mlsd_rules_total", frozenset({("endpoint", "/decide"), ("rule", 'a"b\\c\nd')})) in values(telemetry.text())
