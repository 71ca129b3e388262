"""The YAML of an isolation forest."""

from typing import Literal

from pydantic import Field

from mlsd_framework.spec.models import ModelSpec


class IsolationForestSpec(ModelSpec):
    """Random trees that isolate a row; its novelty is the share of training rows that are less unusual."""

    kind: Literal["isolation_forest"]
    trees: int = Field(100, ge=1, le=2000, description="Trees.")
    samples: int = Field(256, ge=2, le=100_000, description="Rows that each tree is grown on.")
