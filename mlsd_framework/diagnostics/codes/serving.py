"""Serving (64xx): bundles, requests, limits."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6401",
        "open-without-token",
        "A service listens wider than loopback and no token is configured: anyone on the network could use it.",
        "Set a token in `MLSD_TOKEN`, or name a file that holds one in `MLSD_TOKEN_FILE`, or listen on 127.0.0.1.",
        "host: 0.0.0.0",
        "host: 0.0.0.0 with MLSD_TOKEN_FILE=/run/secrets/token",
    ),
    Code(
        "E6402",
        "missing-bundle",
        "There is no bundle where the service looks for one.",
        "Deploy the system, or name the bundle's folder in `MLSD_BUNDLE`.",
    ),
    Code(
        "E6403",
        "missing-bundle-file",
        "A file that the bundle lists, or that the service needs, is not there.",
        "Take the whole bundle from where it was made, or evaluate again, which writes a new one.",
    ),
    Code(
        "E6404",
        "changed-bundle-file",
        "A file of the bundle is not the one that was bundled: its SHA-256 differs.",
        "Take the bundle from where it was made, or evaluate again. A bundle is never edited: change the spec and deploy.",
    ),
    Code(
        "E6405",
        "mixed-versions",
        "The service and the bundle were made from different specs, features or systems; together they would give wrong answers.",
        "Build, train and deploy from the same spec; `mlsd deploy` does all that is missing.",
    ),
    Code(
        "E6406",
        "unreadable-bundle",
        "`bundle.json`, or another file of the bundle, is not of the expected form.",
        "Take the bundle from where it was made, or evaluate again.",
    ),
    Code(
        "E6407",
        "bundle-exists",
        "A bundle of this version is there already and holds something else; versions are never overwritten.",
        "Give the new bundle another version.",
    ),
    Code(
        "E6410",
        "not-a-service",
        "The service's file cannot be loaded, or defines no service.",
        "Build again; generated files are not edited by hand.",
    ),
    Code(
        "E6411",
        "unfit-thresholds",
        "The bundle's thresholds do not fit the actions of the service.",
        "Evaluate again, so that thresholds come from this spec.",
    ),
    Code(
        "E6412",
        "unusable-socket",
        "The file descriptor that a worker is given is not a listening socket.",
        "Start workers with `mlsd deploy`, which hands them one.",
    ),
    Code(
        "E6413",
        "unusable-token",
        "The token is too short to protect anything, or its file cannot be read.",
        "Use at least 16 characters from a random source, for example `openssl rand -hex 24`.",
    ),
    Code(
        "E6420",
        "unfit-request",
        "The request is JSON, but not of the endpoint's type. All faults are listed with their paths.",
        "Compare with the example and the schema at `/docs`.",
        '{"amount": "12"}',
        '{"amount": 12}',
    ),
    Code("E6421", "malformed-json", "The body is not JSON (RFC 8259), or not UTF-8.", "Send what a JSON library writes. NaN and Infinity are not JSON.", '{"amount": NaN}', '{"amount": null}'),
    Code("E6422", "wrong-content-type", "The body is not declared as JSON.", "Send `Content-Type: application/json`."),
    Code("E6423", "body-too-large", "The body is larger than the endpoint takes.", "Send one request a row; raise the limit in the spec when rows are really that large."),
    Code("E6424", "slow-request", "The request did not arrive within its time.", "Send head and body at once; look at the network."),
    Code("E6425", "unauthorised", "The token is missing or wrong.", "Send `Authorization: Bearer <token>`."),
    Code("E6426", "unknown-path", "There is nothing at this path.", "`/docs` lists the endpoints."),
    Code("E6427", "wrong-method", "The path takes another method.", "Endpoints take POST."),
    Code("E6430", "rate-limited", "Requests come faster than the rate limit.", "Wait as `Retry-After` says."),
    Code("E6431", "overloaded", "More requests come than the service can answer in time; this one was refused at once.", "Wait as `Retry-After` says; add workers."),
    Code("E6432", "out-of-time", "The request's time was spent before its answer was ready.", "Look at the stages' latencies in `/metrics`."),
    Code("E6433", "failed-stage", "A stage that the answer cannot do without failed.", "The log names the cause under the request's id. `on_error` says how to go on without a stage."),
    Code("E6434", "failed-request", "A fault in the service itself.", "The log holds the traceback under the request's id."),
)  # fmt: skip
