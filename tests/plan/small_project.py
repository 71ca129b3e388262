"""A small project whose stages can be taken as done without running them."""

from dataclasses import dataclass
from pathlib import Path

from mlsd_framework.codegen.artefacts import write
from mlsd_framework.plan.builder import Builder
from mlsd_framework.plan.definition import Plan
from mlsd_framework.plan.project import Project
from mlsd_framework.plan.service_state import Running
from mlsd_framework.plan.stages import Build
from mlsd_framework.plan.state import Record, Served, State, read_state, stamps, write_state

VERSION = "aaaabbbbcccc"
SPEC = """\
mlsd: 1
system: small
description: A small system

sources:
  payments:
    kind: events
    path: data/payments.csv
    key: payment_id
    event_time: ts
    schema:
      payment_id: int64
      ts: timestamp
      card_id: int64
      amount: {type: float64, unit: EUR, min: 0, describe: the amount}
      channel: {type: category, values: [shop, online]}
      note: string?
      is_fraud: bool

entities:
  card: {key: card_id}

features:
  activity:
    entity: card
    from: payments
    refresh: 1h
    windows: [1d, 7d]
    aggregate:
      payments: count()
      spend: sum(amount)
  payment:
    at: request
    from: payments
    columns: [amount, channel]
    compute:
      night: hour(ts) < 6
      large: amount > 100

label: {name: is_fraud, from: payments, column: is_fraud}

models:
  fraud:
    kind: catboost.classifier
    features: [activity.payments_1d, payment.amount, payment.night]
    label: is_fraud
    split: {by: stratified, train: 60%, validate: 20%, test: 20%, seed: 7}
    iterations: 5
    depth: 2
    gates: ["average_precision >= 0.0"]
  second:
    kind: catboost.classifier
    features: [activity.spend_7d, payment.large]
    label: is_fraud
    split: {by: stratified, train: 60%, validate: 20%, test: 20%, seed: 7}
    iterations: 5
    depth: 2

serving:
  /decide:
    request: payments
    pipeline:
      - fetch: {groups: [activity], budget: 5ms, on_error: default}
      - compute: payment
      - score: fraud
      - score: second
      - rules:
          - {name: very_large, when: amount > 10000, action: review, reason: a large amount}
      - decide:
          score: fraud
          cost: {false_negative: amount, false_positive: 5, review: 2}
          actions: [approve, review, decline]
      - explain: {model: fraud, top: 3}

metrics:
  offline: [average_precision, roc_auc]
  bootstrap: 10

environments:
  local: {port: 0, workers: 1}
"""


@dataclass
class Small:
    """A project in a folder of its own, its spec as text that a test edits."""

    root: Path
    running: Running | None = None
    text: str = SPEC

    @property
    def spec(self) -> Path:
        """The spec's path."""
        return self.root / "small.yaml"

    def write(self, *edits: tuple[str, str]) -> None:
        """Write the spec with some of its text replaced, each once."""
        text = self.text
        for old, new in edits:
            assert text.count(old) >= 1, old
            text = text.replace(old, new, 1)
        self.spec.write_text(text)

    def project(self, *assignments: str) -> Project:
        """Return the project as it stands now."""
        return Project(self.root, self.spec, None, assignments)

    def plan(self, *assignments: str) -> Plan:
        """Plan everything."""
        project = self.project(*assignments)
        return Builder(self.root, project.blueprint, read_state(project.workspace), self.running).plan()

    def stale(self) -> list[str]:
        """Return the stages that a plan would do."""
        return [one.stage.name for one in self.plan().actions]

    def settle(self) -> None:
        """Take every stage as done: files that stages leave are there, and recorded."""
        project = self.project()
        builder = Builder(self.root, project.blueprint, State(), None)
        state = State(contract=project.blueprint.contract, history=(Served(VERSION, "services/x", 1),))
        write(project.generated, project.files)
        for stage in project.blueprint.stages:
            for path in (*stage.outputs, *stage.present):
                place = self.root / path
                if "." in place.name:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(stage.name)
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    (place / "file").write_text(stage.name)
            left = {} if isinstance(stage, Build) else stamps(self.root, stage.outputs)
            assert left is not None
            version = VERSION if stage.kind in ("evaluate", "serve") else ""
            record = Record(builder.fingerprint(stage), builder.parts(stage), left, 1, 2.5, "done", version)
            state = state.with_record(stage.name, record)
        write_state(project.workspace, state)
        self.running = Running("ready", VERSION)


def payments(rows: int = 60) -> str:
    """Return a small table of payments."""
    lines = ["payment_id,ts,card_id,amount,channel,note,is_fraud"]
    for number in range(rows):
        amount, fraud = (number * 37) % 200, "true" if number % 4 == 0 else "false"
        channel = ("shop", "online")[number % 2]
        lines.append(
            f"{number},2024-01-{1 + number % 28:02}T{number % 24:02}:00:00Z,{number % 5},{amount},{channel},,{fraud}"
        )
    return "\n".join(lines) + "\n"
