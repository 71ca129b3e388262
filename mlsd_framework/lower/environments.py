"""Lower `environments`: the one that the spec was resolved for."""

from collections.abc import Mapping

from mlsd_framework.ir.environments import Environment, Kafka, Secret
from mlsd_framework.lower.context import Context
from mlsd_framework.spec.environments import EnvironmentSpec, KafkaSpec, SecretSpec


def lower_environment(specs: Mapping[str, EnvironmentSpec], name: str, context: Context) -> Environment:
    """Return the environment `name`; without a section it is `local` with its defaults."""
    spec = specs.get(name, EnvironmentSpec())
    store = spec.online_store
    return Environment(
        name=name,
        host=spec.host,
        port=spec.port,
        workers=spec.workers,
        online_store=None if isinstance(store, str) else _secret(store.url),
        store_memory=spec.store_memory,
        store_evict=spec.store_evict,
        stream=None if isinstance(spec.stream, str) else _kafka(spec.stream.kafka),
        updaters=spec.updaters,
        token=_secret(spec.auth.token) if spec.auth else None,
        target=spec.target,
        drain=spec.drain,
        offline=spec.offline,
        span=context.span(("environments", name), key=True),
    )


def _kafka(spec: KafkaSpec) -> Kafka:
    asked = spec.protocol.startswith("sasl")
    return Kafka(
        brokers=_secret(spec.brokers),
        protocol=spec.protocol,
        mechanism=(spec.mechanism or "SCRAM-SHA-512") if asked else None,
        username=_secret(spec.username) if spec.username else None,
        password=_secret(spec.password) if spec.password else None,
        ca=spec.ca,
    )


def _secret(spec: SecretSpec) -> Secret:
    return Secret("env", spec.env) if spec.env is not None else Secret("file", spec.file or "")
