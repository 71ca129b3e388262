"""Window features by their definitions: what every home of the kernel is held against."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MASK = 2**64 - 1


def present(values):
    """Values that are neither null nor NaN."""
    return [v for v in values if v is not None and not (isinstance(v, float) and math.isnan(v))]


def summed(values):
    """An exactly rounded sum; infinities of both signs have none."""
    if any(isinstance(v, float) and math.isinf(v) for v in values):
        total = sum(values)
        return None if math.isnan(total) else total
    return math.fsum(values) if isinstance(values[0], float) else sum(values)


def deviation(values):
    """The sample standard deviation, in fractions."""
    if len(values) < 2 or any(math.isinf(v) for v in values):
        return None
    exact = [Fraction(v) for v in values]
    mean = sum(exact) / len(exact)
    variance = sum((v - mean) ** 2 for v in exact) / (len(exact) - 1)
    shift = (variance.numerator.bit_length() - variance.denominator.bit_length()) // 2
    return math.sqrt(variance / Fraction(4) ** shift) * 2.0**shift if variance else 0.0


def mixed(word):
    """The finaliser of splitmix64."""
    x = (word + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def estimated(texts):
    """HyperLogLog over texts, with 4,096 registers."""
    registers = [0] * 4096
    for text in set(texts):
        x = 0xCBF29CE484222325
        for byte in text.encode():
            x = ((x ^ byte) * 0x100000001B3) & MASK
        hashed = mixed(x)
        rest = (hashed << 12) & MASK
        registers[hashed >> 52] = max(registers[hashed >> 52], min(64 - rest.bit_length(), 52) + 1)
    raw = 0.7213 / (1 + 1.079 / 4096) * 4096**2 / math.fsum(2.0**-rank for rank in registers)
    empty = registers.count(0)
    return math.floor((4096 * math.log(4096 / empty) if raw <= 2.5 * 4096 and empty else raw) + 0.5)


def decayed(rows, column, end, half_life):
    """The decayed sum of values and the sum of their weights, as of the newest of them, and how much that is worth."""
    kept = [(row["ts"], row[column]) for row in rows if present([row[column]])]
    if any(math.isinf(value) for _, value in kept):
        kept = [(at, value) for at, value in kept]
    weights = [2.0 ** -((kept[-1][0] - at) / half_life) for at, _ in kept]
    total = summed([float(weight * value) for weight, (_, value) in zip(weights, kept, strict=True)])
    return total, math.fsum(weights), 2.0 ** -((end - kept[-1][0]) / half_life)


def aggregated(aggregate, rows, as_of, end, width):  # noqa: C901, PLR0911 - one a function
    """One aggregate of one window by its definition; rows are in order."""
    function, column = aggregate.function, aggregate.value
    values = [None] * len(rows) if column is None else [row[column] for row in rows]
    kept = present(values)
    if function == "count":
        return len(rows) if column is None else len(kept)
    if function == "time_since_last":
        seen = [row["ts"] for row in rows if column is None or present([row[column]])]
        return (as_of - seen[-1]) / SECOND if seen else None
    if function == "count_distinct":
        number = len(set(kept))
        return number if aggregate.exact is None or number <= aggregate.exact else estimated(kept)
    if function == "rate":
        counted = rows if column is None else [row for row in rows if present([row[column]])]
        if not counted:
            return 0.0
        return len(counted) / ((end - counted[0]["ts"] if width is None else width) / SECOND)
    if function == "last_n":
        return kept[::-1][: aggregate.n]
    if function == "top_k":
        return [v for v, _ in sorted(Counter(kept).items(), key=lambda item: (-item[1], item[0]))][: aggregate.n]
    if not kept:
        return None
    if function in ("ewma", "decayed_sum"):
        total, weights, worth = decayed(rows, column, end, aggregate.half_life)
        return None if total is None else (total / weights if function == "ewma" else total * worth)
    if function == "mean":
        total = summed(kept)
        return None if total is None else total / len(kept)
    return {"sum": summed, "std": deviation, "min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}[
        function
    ](kept)


def oracle(events, query, group):
    """Every column of one query by the definitions in the group's docstring."""
    as_of = query["ts"]
    if as_of is not None and group.refresh is not None:
        as_of -= (as_of - EPOCH) % group.refresh
    out = []
    for aggregate in group.aggregates:
        for window in group.windows:
            rows, end = [], None
            if as_of is not None and None not in [query[k] for k in group.entity]:
                end = as_of - group.delay
                start = None if window is None else end - window
                if start is not None and group.resolution is not None:
                    start -= (start - EPOCH) % group.resolution
                rows = [
                    e
                    for e in events
                    if all(e[k] == query[k] for k in group.entity)
                    and e["ts"] < end
                    and (start is None or e["ts"] >= start)
                    and visible(e, group, as_of)
                ]
                rows.sort(key=lambda e: (e["ts"], *(e[k] for k in group.key)))
            out.append(aggregated(aggregate, rows, as_of, end, window))
    return out


def visible(event, group, as_of):
    """Whether an event had been written by a moment, and not too late."""
    if group.ingest_time is None:
        return True
    written = event[group.ingest_time]
    late = group.allowed_lateness is not None and written - event["ts"] > group.allowed_lateness
    return written <= as_of and not late


def same(ours, expected):
    """Integers, strings and nulls equal; floats to 1e-9."""
    if isinstance(expected, float) and isinstance(ours, float):
        # below 1e-300 doubles have too few digits left for nine of them
        if abs(expected) < 1e-300:
            return abs(ours - expected) < 1e-305
        return ours == expected or math.isclose(ours, expected, rel_tol=1e-9)
    if isinstance(expected, list):
        return len(ours) == len(expected) and all(same(a, b) for a, b in zip(ours, expected, strict=True))
    return ours == expected and type(ours) is type(expected)
