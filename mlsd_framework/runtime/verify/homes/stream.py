"""The stream's home: events decoded and fed to states in micro-batches, which are compacted now and then."""

from dataclasses import replace
from datetime import timedelta

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.keys import encode_key
from mlsd_framework.runtime.state.layout import StateLayout
from mlsd_framework.runtime.stream.decoding import Decoder, EventRules
from mlsd_framework.runtime.stream.live import LiveSource, feed
from mlsd_framework.runtime.stream.source import Chunk
from mlsd_framework.runtime.verify.homes.offline import Answers
from mlsd_framework.runtime.verify.homes.payloads import payloads
from mlsd_framework.runtime.verify.homes.schedule import schedule
from mlsd_framework.runtime.verify.sampling import Sample

PARTITION = "0"
_COMPACTED = 5  # every so many batches


def stream(sample: Sample) -> Answers:
    """Answer from states that are fed with a live group's events as they come in JSON."""
    live = live_source(sample)
    rules = EventRules(key_columns=live.key_columns, ingest_time=live.ingest_time, future=live.future)
    decoder = Decoder(live.table, rules)

    layout, keys, moments = layout_of(sample), sample.keys, sample.moments
    states: dict[bytes, bytes] = {}
    answers: Answers = [None] * len(keys)
    for number, batch in enumerate(schedule(sample, sample.rows)):
        lines = payloads(batch.rows, live.table)
        decoded = decoder.decode([Chunk(PARTITION, lines, [str(at) for at in range(len(lines))], [0] * len(lines))])
        if decoded.rejected:
            raise rejected(live.name, decoded.rejected[0].reason, decoded.rejected[0].detail)
        for key, block in feed(live.groups[0], decoded.frame, live.ingest_time)[0].items():
            states[key] = states.get(key, b"") + block
        for at in batch.questions:
            name = encode_key(keys[at])  # type: ignore[arg-type] # the entity's columns are texts, integers, booleans
            answers[at] = layout.finish(states.get(name) if name is not None else None, moments[at])
        if number % _COMPACTED == 0:
            states = {name: layout.compact(state) for name, state in states.items()}
    return answers


def live_source(sample: Sample) -> LiveSource:
    """Return the source of a sample's group as the updater has it, with this group alone."""
    live = sample.stored.live
    if live is None:
        raise TypeError(sample.stored.name)
    mine = tuple(group for group in live.groups if group.name == sample.stored.name)
    # The log may be younger than this machine's clock says.
    return replace(live, groups=mine, future=timedelta(days=36_500))


def layout_of(sample: Sample) -> StateLayout:
    """Return how the states of a sample's group are written and read."""
    layout = live_source(sample).groups[0].layout
    if not isinstance(layout, StateLayout):
        raise TypeError(sample.stored.name)
    return layout


def rejected(source: str, reason: str, detail: str) -> RunError:
    """Return the error of a row that is good in the log and none of the stream's events."""
    return RunError.of(
        "E6704",
        f"a row of `{source}` that the log has is refused by its stream ({reason}): {detail}",
        help="a stream has to take what the training set is made of; loosen the schema, or clean the log",
    )
