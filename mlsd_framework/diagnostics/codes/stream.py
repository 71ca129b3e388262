"""Streams (66xx): sources, positions, and the updater that feeds live states."""

from mlsd_framework.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "E6601",
        "not-a-stream-source",
        "The schema of a source does not let its events be read from a stream: they cannot be told apart, or placed in "
        "time.",
        "Give the source a `key` and an `event_time` among its columns.",
        wrong="payments: {stream: payments, event_time: ts}",
        right="payments: {stream: payments, event_time: ts, key: payment_id}",
    ),
    Code(
        "E6602",
        "no-kafka-client",
        "The source is a Kafka topic, and the package `confluent-kafka` is not installed.",
        "Install it.",
        right="pip install 'mlsd[kafka]'",
    ),
    Code(
        "E6603",
        "kafka-refuses",
        "The Kafka client does not take a setting, or the cluster refuses this client for good.",
        "Read what the message says of the setting or of the login.",
    ),
    Code(
        "E6604",
        "no-secret",
        "A setting refers to a secret, and the variable or the file that it names does not exist.",
        "Set the variable, or write the file, where the updater runs.",
        wrong="sasl.password: hunter2",
        right="sasl.password: {env: KAFKA_PASSWORD}",
    ),
    Code(
        "E6605",
        "no-replay",
        "A file that is to be replayed as a stream is missing or cannot be read.",
        "Name a Parquet file or a file of JSON lines.",
    ),
    Code(
        "E6606",
        "unreadable-position",
        "The store keeps something else than a position under the name of one.",
        "Bootstrap the live states again; nothing is read from the partition before, as it would count events twice.",
    ),
    Code(
        "E6607",
        "store-evicts-positions",
        "The store evicts any key when its memory is full, the positions of the stream too.",
        "Set `maxmemory-policy` to `noeviction`: the updater then waits for memory. Or to a `volatile-` policy: states "
        "of idle keys are then evicted, and counted.",
    ),
    Code(
        "E6608",
        "cannot-serve-metrics",
        "The port on which the updater is to show its metrics cannot be listened on.",
        "Choose another port; port 0 takes any free one.",
    ),
    Code(
        "E6609",
        "incomplete-bootstrap",
        "A bootstrap names partitions or groups that are not those of the source.",
        "Give the position of every partition from which its stream goes on.",
    ),
    Code(
        "E6610",
        "topic-not-written",
        "The brokers refuse events for a topic, or do not acknowledge them in time.",
        "Look at the brokers, at who may write to the topic, and at `environments.<name>.stream.kafka`.",
    ),
    Code(
        "E6611",
        "service-takes-no-events",
        "The service to which events are sent does not answer, or refuses them.",
        "Deploy the system first; where it asks for a token, set `MLSD_TOKEN`.",
        right="mlsd data simulate specs/fraud.yaml --live --url http://127.0.0.1:3101",
    ),
    Code(
        "E6612",
        "stream-not-read-to-its-end",
        "Live states are filled from the log, and a stream does not give what it has beyond the log.",
        "Look at the brokers or the store that keep the stream, and deploy again; the former states are as they were.",
    ),
)
