"""The compiled loops over oblivious trees: one row, many rows in blocks, and the contributions of a row's features.

Every place in `borders` is a condition. On a numeric feature it asks whether the value, as float32, lies above the border; on a category feature whether the code
equals it. A tree's split of depth d names a condition, whose answer is bit d of the leaf. Nothing here checks a bound: `tree_file` has done so.
"""

import numpy as np
from numpy.typing import NDArray

from mlsd_framework.runtime.compiled import compiled, inlined

CATEGORY = 1  # flag of a feature: its borders are codes
NAN_ABOVE = 2  # flag of a feature: a missing value lies above every border, else below

# Rows of a block: the answers of all conditions for that many rows stay in the second-level cache while the trees pass over them.
_BLOCK = 128

_FOREST = "float32[::1], int32[::1], uint8[::1], uint8[::1], uint32[::1]"


@inlined
def _answer(
    row: NDArray[np.float64], borders: NDArray[np.float32], border_offsets: NDArray[np.int32], flags: NDArray[np.uint8], answers: NDArray[np.uint8]
) -> None:
    for feature in range(flags.size):
        value = np.float32(row[feature])
        first, last = np.uint32(border_offsets[feature]), np.uint32(border_offsets[feature + 1])
        if flags[feature] == CATEGORY:
            for place in range(first, last):
                answers[place] = value == borders[place]
        else:
            if flags[feature] == NAN_ABOVE and np.isnan(value):
                value = np.float32(np.inf)
            for place in range(first, last):
                answers[place] = value > borders[place]


@compiled(f"float64(float64[::1], {_FOREST}, float64[::1])")
def sum_row(
    row: NDArray[np.float64],
    borders: NDArray[np.float32],
    border_offsets: NDArray[np.int32],
    flags: NDArray[np.uint8],
    depths: NDArray[np.uint8],
    splits: NDArray[np.uint32],
    leaf_values: NDArray[np.float64],
) -> float:
    """Return the sum of one row's leaves, in the order of the trees, for trees of one output."""
    answers = np.empty(borders.size, np.uint8)
    _answer(row, borders, border_offsets, flags, answers)
    total = 0.0
    split = np.uint32(0)
    first_leaf = np.uint32(0)
    for tree in range(depths.size):
        depth = np.uint32(depths[tree])
        leaf = np.uint32(0)
        level = np.uint32(0)
        while level + np.uint32(2) <= depth:
            pair = np.uint32(answers[splits[split + level]]) | (np.uint32(answers[splits[split + level + np.uint32(1)]]) << np.uint32(1))
            leaf |= pair << level
            level += np.uint32(2)
        if level < depth:
            leaf |= np.uint32(answers[splits[split + level]]) << level
        total += leaf_values[first_leaf + leaf]
        split += depth
        first_leaf += np.uint32(1) << depth
    return total


@inlined
def _answer_block(
    rows: NDArray[np.float64], borders: NDArray[np.float32], border_offsets: NDArray[np.int32], flags: NDArray[np.uint8], answers: NDArray[np.uint8]
) -> None:
    column = np.empty(_BLOCK, np.float32)
    count = rows.shape[0]
    for feature in range(flags.size):
        for row in range(count):
            column[row] = np.float32(rows[row, feature])
        if flags[feature] == NAN_ABOVE:
            for row in range(count):
                if np.isnan(column[row]):
                    column[row] = np.float32(np.inf)
        first, last = np.uint32(border_offsets[feature]), np.uint32(border_offsets[feature + 1])
        for place in range(first, last):
            border = borders[place]
            if flags[feature] == CATEGORY:
                for row in range(count):
                    answers[place, row] = column[row] == border
            else:
                for row in range(count):
                    answers[place, row] = column[row] > border


@inlined
def _leaves_of_block(answers: NDArray[np.uint8], splits: NDArray[np.uint32], first: int, depth: int, count: int, leaves: NDArray[np.uint16]) -> None:
    for row in range(count):
        leaves[row] = 0
    level = 0
    # Three levels a pass: fewer walks over `leaves`, all in vectors of bytes.
    while level + 3 <= depth:
        low, middle, high = answers[splits[first + level]], answers[splits[first + level + 1]], answers[splits[first + level + 2]]
        for row in range(count):
            bits = low[row] | np.uint8(middle[row] << np.uint8(1)) | np.uint8(high[row] << np.uint8(2))
            leaves[row] |= np.uint16(np.uint16(bits) << np.uint16(level))
        level += 3
    while level < depth:
        low = answers[splits[first + level]]
        for row in range(count):
            leaves[row] |= np.uint16(np.uint16(low[row]) << np.uint16(level))
        level += 1


@compiled(f"void(float64[:, ::1], {_FOREST}, float64[::1], float64[:, ::1])")
def sum_rows(
    rows: NDArray[np.float64],
    borders: NDArray[np.float32],
    border_offsets: NDArray[np.int32],
    flags: NDArray[np.uint8],
    depths: NDArray[np.uint8],
    splits: NDArray[np.uint32],
    leaf_values: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> None:
    """Add every row's leaves to `totals` [rows, outputs], in the order of the trees."""
    outputs = totals.shape[1]
    answers = np.empty((borders.size, _BLOCK), np.uint8)
    leaves = np.empty(_BLOCK, np.uint16)
    for start in range(0, rows.shape[0], _BLOCK):
        block = rows[start : start + _BLOCK]
        count = block.shape[0]
        _answer_block(block, borders, border_offsets, flags, answers)
        split = 0
        first_leaf = np.uint32(0)
        for tree in range(depths.size):
            depth = np.int64(depths[tree])
            _leaves_of_block(answers, splits, split, depth, count, leaves)
            if outputs == 1:
                column = totals[start : start + _BLOCK, 0]
                for row in range(count):
                    column[row] += leaf_values[first_leaf + np.uint32(leaves[row])]
            else:
                for row in range(count):
                    place = (first_leaf + np.int64(leaves[row])) * outputs
                    for output in range(outputs):
                        totals[start + row, output] += leaf_values[place + output]
            split += depth
            first_leaf += np.uint32(1) << np.uint32(depth)


@compiled(f"void(float64[::1], {_FOREST}, int32[::1], int32[::1], float64[::1], float64[:, ::1])")
def explain_row(
    row: NDArray[np.float64],
    borders: NDArray[np.float32],
    border_offsets: NDArray[np.int32],
    flags: NDArray[np.uint8],
    depths: NDArray[np.uint8],
    splits: NDArray[np.uint32],
    shap_offsets: NDArray[np.int32],
    shap_features: NDArray[np.int32],
    shap_values: NDArray[np.float64],
    contributions: NDArray[np.float64],
) -> None:
    """Add one row's SHAP values to `contributions` [features, outputs], read from the table of each tree's leaf."""
    outputs = contributions.shape[1]
    answers = np.empty(borders.size, np.uint8)
    _answer(row, borders, border_offsets, flags, answers)
    split = 0
    table = 0
    for tree in range(depths.size):
        depth = np.int64(depths[tree])
        leaf = 0
        for level in range(depth):
            leaf |= np.int64(answers[splits[split + level]]) << level
        first, last = shap_offsets[tree], shap_offsets[tree + 1]
        place = table + leaf * (last - first) * outputs
        for slot in range(first, last):
            for output in range(outputs):
                contributions[shap_features[slot], output] += shap_values[place]
                place += 1
        split += depth
        table += (1 << depth) * (last - first) * outputs
