"""Evaluation of rankings and policies (638x)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6381",
        "duplicate-candidate",
        "An item stands twice among the candidates of one request, so its rank is not defined.",
        "Look at the source or stage that gives the candidates: each item at most once a request.",
    ),
    Code(
        "E6382",
        "duplicate-relevant-item",
        "An item stands twice among the relevant items of one request, so it would count twice.",
        "Keep one row a request and item, such as the first interaction or the largest gain.",
    ),
    Code(
        "E6383",
        "unusable-log-row",
        "A row of a policy's log has a propensity outside (0, 1], a probability outside [0, 1] or a reward that is "
        "no finite number.",
        "Log the probability with which the action was chosen when it was chosen; leave rows without one out.",
    ),
    Code(
        "E6384",
        "nothing-logged",
        "The log from which the pipeline is to be valued has no row of the time of the test with a propensity and a "
        "reward.",
        "Log both for what is shown, or leave `metrics.off_policy` out.",
        right="off_policy: {from: impressions, propensity: propensity, reward: clicked, position: position}",
    ),
    Code(
        "E6385",
        "position-out-of-range",
        "A row of a policy's log is of a place that the pipeline does not have: before the first, or behind the last.",
        "Count places from 1, and let the pipeline show as many items as the log has places.",
        "position: 0",
        "position: 1",
    ),
)
