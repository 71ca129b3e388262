"""Features (62xx): windows, expressions, the online store."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6245",
        "no-known-label",
        "No example has a known label, so that there is nothing to learn from.",
        "Look at `label.join`, and whether the labels' source has rows of the examples' time.",
    ),
    Code(
        "E6201",
        "feature-group-meaningless",
        "A feature group has no meaning: an unknown function, a negative window, two columns of one name.",
        "Change the declaration as the message says.",
        "{name: spend, function: total, value: amount}",
        "{name: spend, function: sum, value: amount}",
    ),
    Code(
        "E6202",
        "feature-column-missing",
        "Data from which features are computed lacks a column that the group reads.",
        "Add the column to the data, or correct its name in the group.",
    ),
    Code(
        "E6203",
        "feature-key-or-time-type",
        "A time is missing or not in microseconds of UTC, or a key has one type in events and another in questions.",
        'Convert times to Datetime("us", "UTC") and keys to one type before computing features.',
    ),
    Code(
        "E6204",
        "aggregate-value-type",
        "An aggregate reads a value of a type that its function does not take, or that features cannot hold.",
        "Compute a value of a fitting type first, or use another function.",
        "{function: mean, value: country}",
        "{function: count_distinct, value: country}",
    ),
    Code(
        "E6205",
        "integer-sum-overflow",
        "A sum of integers may not fit into 64 bits.",
        "Cast the value to float64.",
    ),
    Code(
        "E6206",
        "snapshot-wrong",
        "The function of a kind of feature group returns something else than the group declares.",
        "Mend the plugin: one row a key, the columns and types that its kind says, no null where it has a default.",
    ),
    Code(
        "E6207",
        "snapshot-fails",
        "The function of a kind of feature group fails; the message has the cause.",
        "Mend or uninstall the plugin that brings the kind.",
    ),
    Code(
        "E6210",
        "feature-row-unpackable",
        "A value does not fit the column of the packed row that it goes into, or a column is missing.",
        "Write rows with the columns and types of the group's layout.",
    ),
    Code(
        "E6211",
        "feature-row-foreign",
        "A row in the online store has another layout than the reader's: other columns, types or order.",
        "Materialise the features again with the version that reads them.",
        right="mlsd deploy specs/fraud.yaml",
    ),
    Code(
        "E6212",
        "feature-row-corrupt",
        "The bytes of a row in the online store do not have the checksum or the length that they were written with.",
        "Materialise the features again, and look at the store's memory and disk.",
        right="mlsd deploy specs/fraud.yaml",
    ),
    Code(
        "E6220",
        "online-store-url",
        "The address of the online store cannot be understood.",
        "Write redis://, rediss:// (TLS) or unix://, with host and port or the path of a socket.",
        "store: localhost:6379",
        "store: redis://localhost:6379/0",
    ),
    Code(
        "E6221",
        "online-store-unreachable",
        "Nothing listens at the online store's address, the connection breaks, or what answers is no such store.",
        "Start the store, or correct its address.",
        right="mlsd status",
    ),
    Code(
        "E6222",
        "online-store-timeout",
        "The online store does not answer within the stage's budget.",
        "Look at the store's load and the network, or give the stage a larger budget.",
    ),
    Code(
        "E6223",
        "online-store-paused",
        "The online store failed several times in a row and is left alone for a moment, so that no request waits.",
        "Look at the failure before this one; reading resumes by itself.",
    ),
    Code(
        "E6224",
        "online-features-absent",
        "The online store holds no published features of this version.",
        "Materialise the features before the service reads them.",
        right="mlsd deploy specs/fraud.yaml",
    ),
    Code(
        "E6225",
        "online-store-refuses",
        "The online store answers with an error, such as a wrong password or no memory left.",
        "Do as the store's message says.",
    ),
    Code(
        "E6226",
        "online-key-type",
        "A key of an entity is of a type that cannot be a key, or has too many or too few parts.",
        "Give strings, integers, booleans or bytes, one for each key column of the entity.",
    ),
)
