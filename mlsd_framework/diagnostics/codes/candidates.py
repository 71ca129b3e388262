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
)
