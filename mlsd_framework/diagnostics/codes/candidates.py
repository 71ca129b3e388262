"""Faults of pipelines that retrieve candidates (206x)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E2061",
        "not-retrievable",
        "Retrieval needs events of a user with an item: an entity's key has several columns, nothing lists the items, "
        "the events have no time, or a column that is to say what items are in words holds no text.",
        "Name entities with one column as their key, and say which table lists the items with `from`.",
        "entities: {user: user_id, item: item_id}",
        "entities: {user: user_id, item: {key: item_id, from: products}}",
    ),
    Code(
        "E2062",
        "no-history",
        "The history that sources of candidates are asked by is none: it is two `last_n` of one group, of the items of "
        "events and of their times, or one item that the request names.",
        "Declare the two features over the events that the sources learn from, and name them.",
        "history: {items: taste.items_lifetime}",
        "history: {items: taste.items_lifetime, times: taste.times_lifetime}",
    ),
    Code(
        "E2063",
        "stage-of-candidates",
        "A stage works on candidates where there are none yet, or takes something that it cannot work with.",
        "Put the stage after `retrieve`, and give it what its page of the reference says.",
        "pipeline: [{take: 10}]",
        "pipeline: [{retrieve: {…}}, {take: 10}]",
    ),
    Code(
        "E2064",
        "value-of-each-candidate",
        "A stage that works on the request uses a value of which each candidate has its own.",
        "Use a value of the request, or a stage that works on candidates, such as `filter`.",
        "rules: [{name: dear, when: product.price > 100, action: hold}]",
        "filter: [product.price <= 100]",
    ),
    Code(
        "E2065",
        "unknown-of-past-requests",
        "A stage over candidates reads a value of the request that training and evaluation do not know: they ask as "
        "users of the log at moments of the past, and know who asks and when.",
        "Give the value a default, which is taken for requests of the past, or leave it out of the stage.",
        "request: {user_id: int64, limit: float64}",
        "request: {user_id: int64, limit: {type: float64, default: 100}}",
    ),
    Code(
        "E2066",
        "source-of-nothing",
        "A source that finds items of the history only, such as `recent` or `buy_again`, is asked for others: by "
        "`new`, or because the history is the one item that others are sought for.",
        "Leave the source out, or leave `new` out where the history is the user's.",
        "retrieve: {history: {item: item}, sources: {again: 100}}",
        "retrieve: {history: {item: item}, sources: {together: 100, popular: 50}}",
    ),
    Code(
        "E2067",
        "held-out-by-another-name",
        "A feature group reads a source with the very rows of the one of which the label holds events out. From the "
        "label's source they are taken away, from the other they are not, so that features would know the answers.",
        "Let the group read the label's source.",
        "label: {from: ratings, hold_out: 25%, …}, features: {fame: {from: same_ratings, …}}",
        "label: {from: ratings, hold_out: 25%, …}, features: {fame: {from: ratings, …}}",
    ),
    Code(
        "E2068",
        "column-of-impressions",
        "A column of a log of impressions is of a type that cannot mean what it is named for: an outcome that is not "
        "`bool` or an integer, a propensity that is no float, a position or a request that cannot be counted, a key of "
        "another type than in the events.",
        "Name a column of the type that the message says.",
        "shown: {from: views, outcome: clicked_at}",
        "shown: {from: views, outcome: clicked}",
    ),
    Code(
        "E2069",
        "unmeasured-newcomers",
        "`metrics.onboarding` asks users of the test again as if they were new, with what they like. It needs a label "
        "of an endpoint's candidates, a list with a default among the values of that endpoint's requests, and a column "
        "of a table of the items that holds such values.",
        "Name the list by `value` and the column by `from`, both of one type.",
        "metrics: {onboarding: {value: k, from: trend.buyers_7d}}",
        "metrics: {onboarding: {value: interests, from: product.department}}",
    ),
    Code(
        "E2070",
        "condition-before-retrieval",
        "A `where` of `retrieve` says which items are asked for, before any is found. So it reads what is known of "
        "every item, which is columns of tables of the item's entity, at least one of them, and values of the "
        "request.",
        "Move what is computed for each candidate into `filter`, after a `fetch`; or keep it as a column of a table.",
        "retrieve: {where: trend.buyers_7d > 0, …}",
        "retrieve: {where: product.in_stock, …}",
    ),
)
