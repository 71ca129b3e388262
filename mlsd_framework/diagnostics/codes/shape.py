"""Shape of a spec (1xxx): YAML, keys, values."""

from mlsd_framework.diagnostics.codes.code import Code

_FILE = (
    Code(
        "E1000",
        "unreadable-spec",
        "The spec cannot be read: there is no such file, or it may not be opened.",
        "Name a spec file that exists, or write one with `mlsd init`.",
        "mlsd validate specs/fruad.yaml",
        "mlsd validate specs/fraud.yaml",
    ),
    Code(
        "E1001",
        "spec-too-large",
        "A spec is larger than a megabyte, or one value in it has more than 50,000 characters, which no spec needs.",
        "Keep data out of the spec: name a source instead.",
    ),
    Code(
        "E1002",
        "not-yaml",
        "The file is not YAML, or not UTF-8 text.",
        "Look at the place: a bracket or a quote that is not closed, a tab, a colon without a blank after it.",
        "windows: [1d, 7d",
        "windows: [1d, 7d]",
    ),
    Code(
        "E1003",
        "nested-too-deep",
        "Values stand more than 40 levels deep in each other, aliases followed.",
        "Take levels out; the language itself needs fewer than 15.",
    ),
    Code(
        "E1004",
        "too-many-values",
        "The file holds more than 50,000 values, each alias counted with all that it stands for.",
        "Split the system in two, or keep data out of the spec.",
    ),
    Code(
        "E1005",
        "alias",
        "An alias stands inside its own anchor, or the file has more than 200 of them.",
        "Write the value out, or anchor it where it ends before it is used.",
        "with: &settings {again: *settings}",
        "with: &settings {days: 7}",
    ),
    Code(
        "E1006",
        "several-documents",
        "The file holds more than one YAML document.",
        "Keep one spec a file: take out the `---` between them.",
    ),
    Code(
        "E1007",
        "merge-key",
        "The file uses a merge key, `<<`, which the language leaves out: it hides where a value comes from.",
        "Use an alias for a whole value, or `overrides` of an environment.",
        "with: {<<: *settings, days: 7}",
        "with: *settings",
    ),
    Code(
        "E1008",
        "tag",
        "A value has a YAML tag; tags can ask a reader to build objects, and the language has none.",
        "Write the plain value.",
        "days: !!python/int 7",
        "days: 7",
    ),
    Code(
        "E1009",
        "no-mapping",
        "The file is empty, or holds a list or a single value in place of sections.",
        "Begin with `mlsd: 1` and `system:`; `mlsd init` writes a spec that works.",
        "- sources",
        "sources: {…}",
    ),
    Code(
        "E1010",
        "key-is-no-name",
        "A key is a list or a mapping.",
        "Write plain text before the colon.",
        "? [a, b]\n: 1",
        "ab: 1",
    ),
    Code(
        "E1011",
        "key-written-twice",
        "A mapping has a key twice; most readers of YAML would silently keep one of them.",
        "Delete or rename one of the two.",
        "amount: float64\namount: int64",
        "amount: float64",
    ),
    Code(
        "E1012",
        "assignment",
        "A `--set` is not of the form KEY=VALUE, or its path leads through a value that is no mapping and no list.",
        "Name the path with dots, items of lists by their number.",
        "mlsd validate fraud --set models.fraud.depth",
        "mlsd validate fraud --set models.fraud.depth=8",
    ),
    Code(
        "E1013",
        "override",
        "An environment overrides a section that no environment can change, or that does not exist.",
        "Override a section of the system; what an environment is stands beside `overrides`.",
        "overrides: {environments: {local: {port: 1}}}",
        "overrides: {models: {fraud: {iterations: 50}}}",
    ),
)

_SHAPE = (
    Code(
        "E1101",
        "missing-key",
        "A mapping lacks a key, or the spec a section, that has no default.",
        "Add it; `mlsd schema` and docs/language.md say what it can hold.",
        "card: {describe: card}",
        "card: {key: card_id}",
    ),
    Code(
        "E1102",
        "unknown-key",
        "A mapping has a key, or the spec a section, that the language does not have.",
        "Correct the spelling, or move the key to where it belongs.",
        "card: {keys: card_id}",
        "card: {key: card_id}",
    ),
    Code(
        "E1103",
        "value",
        "A value is of the wrong kind, out of its range, or not written as such values are.",
        "Write what the message expects.",
        "windows: [7 days]",
        "windows: [7d]",
    ),
    Code(
        "E1104",
        "unknown-kind",
        "A source, model, stage or metric is of a kind that no installed plugin brings.",
        "Correct the name, or install the plugin; `mlsd plugins` lists the kinds at hand.",
        "kind: catbost.classifier",
        "kind: catboost.classifier",
    ),
    Code(
        "E1105",
        "secret-in-clear",
        "A secret stands in the spec: a token, a URL with a password, a private key. Specs are shared, and "
        "kept for ever.",
        "Change the secret, for it is known now; then name the environment variable or the file that holds "
        "the new one.",
        "token: hunter2",
        "token: {env: MLSD_TOKEN}",
    ),
)

CODES: tuple[Code, ...] = (*_FILE, *_SHAPE)
