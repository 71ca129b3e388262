"""`environments`: where the system runs."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from mlsd_framework.spec.base import SpecModel
from mlsd_framework.spec.quantities import Duration, Size

_VARIABLE: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def _variable(name: object) -> object:
    if isinstance(name, str) and not _VARIABLE.fullmatch(name):
        expected = "letters, digits and `_`, such as MLSD_TOKEN"
        raise PydanticCustomError("secret-in-clear", "names no environment variable", {"expected": expected})
    return name


def _form(value: object) -> str:
    """Return which branch of a union is meant, so that a fault in the one is none of the other's too."""
    return "mapping" if isinstance(value, dict | SpecModel) else "word"


_Embedded = Annotated[Literal["embedded"], Tag("word")]


class SecretSpec(SpecModel):
    """A secret by reference: from the environment or from a file, never in clear."""

    env: Annotated[str | None, BeforeValidator(_variable)] = Field(
        None, description="The environment variable that holds it."
    )
    file: str | None = Field(None, description="The file that holds it.")

    @model_validator(mode="before")
    @classmethod
    def _by_reference(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise PydanticCustomError(
                "secret-in-clear", "is a secret written in clear", {"expected": "{env: NAME} or {file: PATH}"}
            )
        expected = {"expected": "{env: NAME} or {file: PATH}"}
        if set(value) - {"env", "file"}:
            raise PydanticCustomError("secret-in-clear", "does not say where the secret is", expected)
        if ("env" in value) == ("file" in value):
            raise PydanticCustomError("one-of", "names one of `env` and `file`", expected)
        return value


class OnlineStoreSpec(SpecModel):
    """The store that the service reads features from."""

    url: SecretSpec = Field(
        description="A redis://, rediss:// or unix:// URL, by reference since it may hold a password."
    )


class KafkaSpec(SpecModel):
    """The brokers that keep the topics of streams, and how they are spoken to; secrets by reference."""

    brokers: SecretSpec = Field(description="`HOST:PORT` of some brokers, with commas between, by reference.")
    protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="Whether the connection is encrypted (`ssl`) and who asks has to say so (`sasl`)."
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How the user proves who they are; needed with `sasl_…`, where it is `SCRAM-SHA-512`."
    )
    username: SecretSpec | None = Field(None, description="The user of `sasl_…`.")
    password: SecretSpec | None = Field(None, description="The password of that user.")
    ca: str | None = Field(None, description="The file of the authority that signed the brokers' certificates.")

    @model_validator(mode="after")
    def _who_asks(self) -> Self:
        named = [name for name in ("mechanism", "username", "password") if getattr(self, name) is not None]
        if not self.protocol.startswith("sasl"):
            if named:
                raise PydanticCustomError(
                    "one-of",
                    "names a `{name}`, and its protocol asks for none",
                    {"name": named[0], "expected": "`protocol: sasl_ssl` or `protocol: sasl_plaintext`"},
                )
        elif self.username is None or self.password is None:
            raise PydanticCustomError(
                "one-of", "does not say who asks", {"expected": "`username` and `password`, each {env: …} or {file: …}"}
            )
        return self


class StreamsSpec(SpecModel):
    """Where the streams of sources are kept."""

    kafka: KafkaSpec = Field(description="A source's stream is a topic of these brokers.")


class AuthSpec(SpecModel):
    """Who may ask."""

    token: SecretSpec = Field(description="The bearer token that every request must carry.")


class EnvironmentSpec(SpecModel):
    """One place to run; `overrides` changes any other section there."""

    host: str = Field(
        "127.0.0.1",
        pattern=r"^[0-9A-Za-z.:\[\]-]+$",
        description="The address to listen on; wider than loopback needs `auth`.",
    )
    port: int = Field(3000, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    workers: int = Field(1, ge=1, le=256, description="Processes that answer requests.")
    offline: Literal["polars", "spark"] = Field(
        "polars",
        description="What computes training columns and stored features: `polars` on one machine; with `spark`, jobs "
        "for a cluster are generated too.",
    )
    online_store: Annotated[_Embedded | Annotated[OnlineStoreSpec, Tag("mapping")], Discriminator(_form)] = Field(
        "embedded", description="`embedded` starts a Valkey beside the service."
    )
    store_memory: Size = Field(256 * 2**20, description="The most memory that the embedded store may take.")
    store_evict: Literal["never", "idle_states"] = Field(
        "never",
        description="What happens where that is full: nothing more is taken until there is room, and the updater waits;"
        " or live states that were not used for longest go.",
    )
    stream: Annotated[_Embedded | Annotated[StreamsSpec, Tag("mapping")], Discriminator(_form)] = Field(
        "embedded", description="`embedded` keeps the streams of sources in the online store."
    )
    updaters: int = Field(1, ge=0, le=256, description="Processes that read streams and keep live features fresh.")
    auth: AuthSpec | None = Field(None, description="Who may ask.")
    target: Literal["local", "kubernetes"] = Field("local", description="What `deploy` deploys to.")
    drain: Duration = Field(
        timedelta(seconds=10), description="The longest that requests of an old version are waited for."
    )
    overrides: dict[str, Any] = Field(default_factory=dict, description="Values that differ there, section by section.")
