"""Derived groups against a brute-force oracle: which events a snapshot sees, and which snapshot a question reads."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.features.derived import DerivedGroup, Reading, Snapshot
from mlsd_framework.runtime.features.materialisation import materialise_all
from mlsd_framework.runtime.features.snapshots import current_snapshot, derived_features
from mlsd_framework.runtime.features.windows import FeatureColumn

START = datetime(2024, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIME = pl.Datetime("us", "UTC")
EVENTS = {"key": pl.String, "part": pl.Int64, "id": pl.Int64, "at": TIME, "written": TIME}
QUERIES = {"key": pl.String, "part": pl.Int64, "t": TIME}

moments = st.integers(0, 25).map(lambda n: START + n * SECOND)
keys = st.tuples(st.sampled_from(["p", "q", "r", None]), st.sampled_from([1, 2, None]))
logs = st.lists(st.tuples(keys, moments, st.integers(0, 8)), max_size=15)


def ids(past, moment, /, *, entity):
    """The ids of each key's events, in the order in which they are given, and how old the newest snapshot is."""
    seen = pl.concat(past.values(), how="vertical").drop_nulls(entity)
    rows = seen.group_by(entity, maintain_order=True).agg(
        pl.len().alias("n"), pl.col("id").cast(pl.String).str.join(",").alias("ids")
    )
    return Snapshot(rows.with_columns(made=pl.lit(moment).cast(TIME)))


def group_of(entity=("key",), *, sources=("log",), written=True, refresh=5 * SECOND, **named):
    """A group that says which events it was shown."""
    ingest = "written" if written else None
    readings = tuple(Reading(source, (*entity, "id"), "at", ingest, ("id",)) for source in sources)
    columns = (FeatureColumn("n", "int64", 0), FeatureColumn("ids", "string"), FeatureColumn("made", "timestamp"))
    return DerivedGroup("g", entity, readings, ids, columns, refresh, settings={"entity": entity}, **named)


def frame_of(drawn, first=0):
    """A log whose rows have ids."""
    rows = [(*key, first + i, at, at + late * SECOND) for i, (key, at, late) in enumerate(drawn)]
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def oracle(events, query, group):
    """What a question is told: the ids of the events of its key that were known at the last snapshot."""
    asked = tuple(query[name] for name in group.entity)
    if query["t"] is None or None in asked:
        return (0, None, None)
    moment = query["t"] - (query["t"] - EPOCH) % group.refresh
    until = moment - group.delay
    seen = [
        one
        for one in events
        if tuple(one[name] for name in group.entity) == asked
        and one["at"] < until
        and (group.window is None or one["at"] >= until - group.window)
        and (group.readings[0].ingest_time is None or one["written"] <= moment)
    ]
    if not seen:
        return (0, None, None)
    ordered = sorted(seen, key=lambda one: (one["at"], one["id"]))
    return (len(seen), ",".join(str(one["id"]) for one in ordered), moment)


@settings(max_examples=150, deadline=None)
@given(
    logs,
    st.lists(st.tuples(keys, moments | st.none()), max_size=12),
    st.sampled_from([("key",), ("part",), ("key", "part")]),
    st.sampled_from([None, 4 * SECOND, 11 * SECOND]),
    st.sampled_from([timedelta(0), 3 * SECOND]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_snapshots_equal_the_oracle(drawn, asked, entity, window, delay, written, random):
    """Each question reads what was known at the last multiple of `refresh`, whatever the log's order; none is lost."""
    group = group_of(entity, written=written, window=window, delay=delay)
    events = frame_of(drawn)
    order = list(range(len(drawn)))
    random.shuffle(order)
    queries = pl.DataFrame([(*key, t) for key, t in asked], schema=QUERIES, orient="row")
    ours = derived_features({"log": events[order]}, queries, group, time="t")
    assert ours.columns == ["n", "ids", "made"]
    assert ours.rows() == [oracle(events.to_dicts(), query, group) for query in queries.to_dicts()]


@settings(max_examples=60, deadline=None)
@given(logs, moments, st.sampled_from([None, 4 * SECOND]))
def test_the_online_rows_are_what_a_question_reads(drawn, moment, window):
    """The snapshot that is materialised has for every key what the training set has at that moment."""
    group, frames = group_of(window=window), {"log": frame_of(drawn)}
    rows = current_snapshot(frames, group, moment)
    asked = rows.select("key").with_columns(t=pl.lit(moment).cast(TIME))
    assert derived_features(frames, asked, group, time="t").rows() == rows.drop("key").rows()


@settings(max_examples=60, deadline=None)
@given(logs, logs, moments)
def test_what_comes_later_changes_nothing(drawn, later, moment):
    """Rows planted at or after a snapshot, and rows written after it, leave every earlier answer as it was."""
    group = group_of(refresh=SECOND)
    planted = frame_of(
        [(key, at, late) for key, at, late in later if at >= moment or at + late * SECOND > moment], first=1000
    )
    asked = pl.DataFrame(
        [(key, 1, t) for key in ("p", "q", "r") for t in (moment, moment - 4 * SECOND)], schema=QUERIES, orient="row"
    )
    before = derived_features({"log": frame_of(drawn)}, asked, group, time="t")
    after = derived_features({"log": pl.concat([frame_of(drawn), planted])}, asked, group, time="t")
    assert after.rows() == before.rows()


def test_a_function_cannot_look_ahead():
    """One that does its best to find a later row sees none: the frames that it gets end before the snapshot."""
    seen = []

    def peeks(past, moment, /):
        for frame in past.values():
            assert frame.columns == ["key", "at"]  # what the group reads, and no other column
            seen.append((moment, frame.get_column("at").max(), frame.rechunk().height))
        return Snapshot(pl.DataFrame({"key": ["p"], "last": [past["log"].get_column("at").max()]}))

    log = pl.DataFrame(
        {"key": ["p"] * 30, "at": [START + n * SECOND for n in range(30)]}, schema_overrides={"at": TIME}
    ).with_columns(id=pl.int_range(30))
    reading = Reading("log", ("key", "at"), "at", key=("id",))
    group = DerivedGroup("g", ("key",), (reading,), peeks, (FeatureColumn("last", "timestamp"),), 5 * SECOND)
    asked = log.select("key", t="at")
    found = derived_features({"log": log}, asked, group, time="t").get_column("last")
    assert all(last is None or last < moment for moment, last, _ in seen)
    for question, answer in zip(asked.get_column("t"), found, strict=True):
        floor = question - (question - EPOCH) % (5 * SECOND)
        assert answer == (floor - SECOND if floor > START else None)
    assert [moment for moment, _, _ in seen] == sorted({moment for moment, _, _ in seen})


@settings(max_examples=100, deadline=None)
@given(logs, moments, st.sampled_from([None, 4 * SECOND]), st.booleans())
def test_distinct_rows_are_the_last_of_equal_ones(drawn, moment, window, written):
    """A function that wants them once gets each different row where it comes last among those that are known."""
    shown = []

    def looks(past, _moment, /):
        shown.append(past["log"])
        return Snapshot(pl.DataFrame({"key": []}, {"key": pl.String}).with_columns(n=pl.lit(1)))

    made = {}
    for distinct in (False, True):
        reading = Reading("log", ("key", "part"), "at", "written" if written else None, ("id",), distinct)
        columns = (FeatureColumn("n", "int64"),)
        group = DerivedGroup("g", ("key",), (reading,), looks, columns, 2 * SECOND, window)
        current_snapshot({"log": frame_of(drawn)}, group, moment)
        made[distinct] = shown.pop()
    assert made[True].rows() == made[False].unique(keep="last", maintain_order=True).rows()


def test_several_sources_are_cut_at_one_moment():
    """A group of two logs sees of each what was known then."""
    group = group_of(sources=("log", "other"), written=False)
    log = frame_of([(("p", 1), START + 3 * SECOND, 0), (("p", 1), START + 7 * SECOND, 0)])
    other = frame_of([(("p", 1), START + 4 * SECOND, 0), (("p", 1), START + 9 * SECOND, 0)], first=100)
    asked = pl.DataFrame([("p", 1, START + n * SECOND) for n in (4, 6, 12)], schema=QUERIES, orient="row")
    found = derived_features({"log": log, "other": other}, asked, group, time="t")
    assert found.get_column("ids").to_list() == [None, "0,100", "0,1,100,101"]


def test_materialised_rows_are_those_of_the_last_whole_interval():
    """All groups are made as of the end of the log; a snapshot has the moment that it was made for."""
    log = frame_of([(("p", 1), START + n * SECOND, 0) for n in range(8)])
    [made] = materialise_all([(group_of(written=False), {"log": log})])
    assert made.as_of == START + 5 * SECOND
    assert made.rows.select("key", "n").rows() == [("p", 5)]
    assert made.layout.defaults == (0, None, None)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (pl.DataFrame({"key": ["p"], "n": [1]}), "a DataFrame"),
        (Snapshot(pl.DataFrame({"key": ["p"]})), "lacks the column `n`"),
        (Snapshot(pl.DataFrame({"n": [1]})), "lacks the column `key`"),
        (Snapshot(pl.DataFrame({"key": ["p", "p"], "n": [1, 2]})), "null or comes twice"),
        (Snapshot(pl.DataFrame({"key": ["p", None], "n": [1, 2]})), "null or comes twice"),
        (Snapshot(pl.DataFrame({"key": ["p"], "n": [0.5]})), "`n` of type Float64"),
        (Snapshot(pl.DataFrame({"key": ["p"], "n": ["1"]})), "`n` of type String"),
        (Snapshot(pl.DataFrame({"key": ["p"], "n": [[1]]})), "`n` of type List(Int64)"),
        (Snapshot(pl.DataFrame({"key": ["p"], "n": [None]})), "nulls in `n`"),
        (Snapshot(pl.DataFrame({"key": ["p", "q"], "n": [1, None]})), "nulls in `n`"),
    ],
)
def test_a_function_is_held_to_what_its_kind_says(returned, said):
    """Another form, a missing column, a key twice, another type, a null beside a default: E6206 with the moment."""
    reading = Reading("log", ("key",), "at")
    group = DerivedGroup(
        "g", ("key",), (reading,), lambda _past, _at: returned, (FeatureColumn("n", "int64", 0),), 5 * SECOND
    )
    with pytest.raises(RunError, match="E6206") as caught:
        current_snapshot({"log": frame_of([])}, group, START)
    [one] = caught.value.diagnostics
    assert said in one.what
    assert "`features.g` at 2024-01-01 00:00 UTC" in one.what


def test_lists_and_texts_with_defaults():
    """Each type comes back as it was given, and a key that the snapshot lacks has the default of each column."""
    given = pl.DataFrame({"key": ["p"], "near": [["q", "r"]], "ages": [[1, 2]], "name": ["a"], "share": [1]})
    columns = (
        FeatureColumn("near", "list<string>", ()),
        FeatureColumn("ages", "list<int64>"),
        FeatureColumn("name", "string", "nobody"),
        FeatureColumn("share", "float64", 0.5),
    )
    group = DerivedGroup(
        "g", ("key",), (Reading("log", ("key",), "at"),), lambda _past, _at: Snapshot(given), columns, SECOND
    )
    asked = pl.DataFrame([("p", 1, START), ("q", 1, START)], schema=QUERIES, orient="row")
    found = derived_features({"log": frame_of([])}, asked, group, time="t")
    assert found.rows() == [(["q", "r"], [1, 2], "a", 1.0), ([], None, "nobody", 0.5)]
    assert found.schema["near"] == pl.List(pl.String)


def test_a_function_that_fails_is_named():
    """The message has the function, the group, the moment and the cause, which is kept for the traceback."""
    with pytest.raises(RunError, match="E6207") as caught:
        current_snapshot({"log": frame_of([])}, group_of_failing(), START)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    [one] = caught.value.diagnostics
    assert ":fails` of `features.g` fails at the snapshot of 2024-01-01 00:00 UTC: ZeroDivisionError" in one.what


def fails(past, moment, /):
    """A function with a bug."""
    return len(past) // (moment - moment).days


def group_of_failing():
    """A group whose function has a bug."""
    return DerivedGroup("g", ("key",), (Reading("log", ("key",), "at"),), fails, (FeatureColumn("n", "int64"),), SECOND)


def test_what_a_function_leaves_out_is_told(capsys):
    """Counts of all snapshots are added up and printed; nothing goes in silence."""

    def leaves(_past, _at, /):
        return Snapshot(pl.DataFrame({"key": ["p"], "n": [1]}), {"hubs": 3, "loops": 0})

    group = DerivedGroup(
        "g", ("key",), (Reading("log", ("key",), "at"),), leaves, (FeatureColumn("n", "int64"),), SECOND
    )
    asked = pl.DataFrame([("p", 1, START + n * SECOND) for n in range(4)], schema=QUERIES, orient="row")
    derived_features({"log": frame_of([])}, asked, group, time="t")
    assert capsys.readouterr().out == "g: 12 hubs left out in 4 snapshots\n"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"refresh": timedelta(0)}, "E6201"),
        ({"window": timedelta(0)}, "E6201"),
        ({"delay": -SECOND}, "E6201"),
        ({"sources": ()}, "E6201"),
        ({"entity": ("n",)}, "E6201"),
    ],
)
def test_a_group_without_meaning_is_refused(changed, code):
    """Empty lengths, no source, a feature named as the key."""
    with pytest.raises(RunError, match=code):
        group_of(**changed)


def test_events_without_a_time_are_refused():
    """An event that nobody knows the time of cannot be known before a moment."""
    log = frame_of([(("p", 1), START, 0)]).with_columns(written=pl.lit(None, TIME))
    with pytest.raises(RunError, match="E6203"):
        current_snapshot({"log": log}, group_of(), START)
