"""What a target cannot express (3xxx)."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E3001",
        "exact-windows-unfed",
        "A pipeline fetches windows that are exact to the event, and nothing feeds the online store event by event.",
        "Say on which `stream` new events of its source come, or give the group a `refresh`, which is how often a "
        "batch computes it; training then sees the same steps.",
        "card_activity: {entity: card, from: payments, windows: [1d], …}",
        "card_activity: {entity: card, from: payments, refresh: 1h, windows: [1d], …}",
    ),
    Code(
        "E3007",
        "group-not-on-spark",
        "The environment computes features with Spark, and a group needs one machine: its kind gives snapshots, or its "
        "aggregates read features of another group.",
        "Compute features with polars in this environment, or leave the group out there by an override.",
        "environments: {local: {offline: spark}}",
        "environments: {local: {offline: polars}}",
    ),
    Code(
        "E3006",
        "live-value-unknown",
        "A live group reads what an event does not say when it comes: the label, a column that is known only later, "
        "or a feature of another group.",
        "Give the group a `refresh` and a `delay`, so that a batch computes it once the values are known.",
        "risk: {entity: card, from: payments, windows: [7d], aggregate: {frauds: count() where is_fraud}}",
        "risk: {entity: card, from: payments, refresh: 1d, delay: 7d, windows: [7d], "
        "aggregate: {frauds: count() where is_fraud}}",
    ),
    Code(
        "E3002",
        "wide-without-token",
        "The service would listen beyond this machine without asking for a token.",
        "Add `auth`, or listen on a loopback address.",
        "production: {host: 0.0.0.0}",
        "production: {host: 0.0.0.0, auth: {token: {env: MLSD_TOKEN}}}",
    ),
    Code(
        "E3003",
        "embedded-store-on-a-cluster",
        "The embedded online store lives beside one service; on a cluster each replica would have its own, "
        "and none data.",
        "Name a Redis or Valkey that all replicas reach.",
        "production: {target: kubernetes}",
        "production: {target: kubernetes, online_store: {url: {env: REDIS_URL}}}",
    ),
    Code(
        "E3004",
        "no-decision",
        "A pipeline ends without a `decide`, and the service has no other answer to give.",
        "Add `- decide: …` after the stages that it reads.",
        "pipeline: [{score: fraud}]",
        "pipeline: [{score: fraud}, {decide: {score: fraud, …}}]",
    ),
    Code(
        "E3005",
        "type-not-served",
        "A column of a request or of a stored group is of a type that no typed request or packed row can hold.",
        "Take the column out of the source's schema, or give the endpoint or the group another source.",
        "schema: {photo: image}",
        "schema: {photo_path: string}",
    ),
)
