"""The peer of `recommend.py`: the same pipeline as a team writes it first, in BentoML's own API with NumPy and pandas.

Not imported: copied to a folder that holds the models, and served there. It reads the same weights, neighbours and
factors; only "buy again" is simpler, by count alone. Rows are JSON, read 500 with one MGET.
"""

import json
from collections import Counter, defaultdict
from datetime import datetime
from itertools import islice
from pathlib import Path

import bentoml
import numpy as np
import pandas as pd
import valkey
from catboost import CatBoostRegressor
from safetensors.numpy import load_file

HERE = Path(__file__).parent
NAMES = json.loads((HERE / "features.json").read_text())
HALF_LIFE = 90 * 86_400e6
QUOTAS = {"again": 500, "ease": 150, "popular": 150, "together": 100, "als": 100}
ALPHA = 5.0
BALANCE = 0.9


@bentoml.service(workers=2)
class Peer:
    """Recommends."""

    def __init__(self) -> None:
        self.store = valkey.Valkey(unix_socket_path=str(HERE / "v.sock"))
        self.keys = load_file(HERE / "catalogue.safetensors")["keys"]
        self.code = {int(key): code for code, key in enumerate(self.keys)}
        self.ease = load_file(HERE / "ease.safetensors")
        self.together = load_file(HERE / "together.safetensors")
        self.als = load_file(HERE / "als.safetensors")
        self.factors = np.ascontiguousarray(self.als["factors"].T)
        self.units = np.zeros((len(self.keys), self.factors.shape[1]), np.float32)
        norms = np.linalg.norm(self.factors, axis=1, keepdims=True)
        self.units[self.als["codes"]] = self.factors / np.maximum(norms, 1e-12)
        popular = load_file(HERE / "popular.safetensors")
        self.popular = dict(zip(popular["items"][-1].tolist(), popular["scores"][-1].tolist(), strict=True))
        self.place = {
            name: {int(code): place for place, code in enumerate(model["codes"])}
            for name, model in (("ease", self.ease), ("together", self.together), ("als", self.als))
        }
        self.model = CatBoostRegressor()
        self.model.load_model(str(HERE / "model.cbm"))

    @bentoml.api
    def recommend(self, household_id: int, at: datetime, k: int = 20) -> dict:
        """Return the best k items."""
        user = json.loads(self.store.get(f"user:{household_id}"))
        moment = at.timestamp() * 1e6
        history = [self.code[key] for key in user["items"] if key in self.code]
        sums: dict[int, float] = defaultdict(float)
        for code, time in zip(history, user["times"], strict=True):
            sums[code] += 0.5 ** ((moment - time) / HALF_LIFE)
        weights = {code: np.log1p(amount) for code, amount in sums.items()}
        found = {
            "again": dict(Counter(history).most_common(500)),
            "ease": self.best("ease", self.ease_scores, weights),
            "popular": dict(islice(((c, s) for c, s in self.popular.items() if c not in weights), 150)),
            "together": self.best("together", self.together_scores, weights),
            "als": self.best("als", self.als_scores, weights),
        }
        candidates = merge(found)
        rows = self.store.mget([f"item:{self.keys[code]}" for code in candidates])
        table = []
        for code, row in zip(candidates, rows, strict=True):
            values = json.loads(row) | user["activity"]
            for name, scores in found.items():
                values[f"candidates.{name}_score"] = scores.get(code)
                values[f"candidates.{name}_rank"] = None
            table.append(values)
        for name, scores in found.items():
            ranks = {code: rank for rank, code in enumerate(scores)}
            for code, values in zip(candidates, table, strict=True):
                values[f"candidates.{name}_rank"] = ranks.get(code)
        scores = self.model.predict(pd.DataFrame(table)[NAMES])
        order = self.diversified(np.array(candidates), scores)[:k]
        return {"items": [{"item": int(self.keys[candidates[i]]), "score": float(scores[i])} for i in order]}

    def diversified(self, candidates: np.ndarray, scores: np.ndarray, k: int = 20) -> list[int]:
        """Choose k one by one: 0.9 times the score from 0 to 1 less 0.1 times the largest cosine with those chosen."""
        units = self.units[candidates]
        worth = BALANCE * (scores - scores.min()) / (np.ptp(scores) or 1.0)
        nearest, chosen = np.zeros(len(candidates)), []
        for _ in range(min(k, len(candidates))):
            values = worth - (1 - BALANCE) * nearest
            values[chosen] = -np.inf
            pick = int(np.argmax(values))
            cosines = units @ units[pick]
            nearest = np.maximum(nearest, cosines) if chosen else cosines
            chosen.append(pick)
        return chosen

    def best(self, name: str, scoring, weights: dict[int, float]) -> dict[int, float]:  # noqa: ANN001
        """Return the new items that a model likes most."""
        place = self.place[name]
        known = [code for code in weights if code in place]
        if not known:
            return {}
        places = np.array([place[code] for code in known])
        scores = scoring(places, np.array([weights[code] for code in known]))
        scores[places] = -np.inf
        number = min(QUOTAS[name], len(scores))
        top = np.argpartition(-scores, number - 1)[:number]
        top = top[np.argsort(-scores[top])]
        codes = getattr(self, name)["codes"]
        return {int(codes[one]): float(scores[one]) for one in top if scores[one] > -np.inf}

    def ease_scores(self, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted sum of rows."""
        return weights @ self.ease["weights"][places]

    def together_scores(self, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted sum of similarities."""
        model = self.together
        scores = np.zeros(len(model["codes"]))
        for place, weight in zip(places, weights, strict=True):
            rows = slice(model["offsets"][place], model["offsets"][place + 1])
            scores[model["neighbours"][rows]] += weight * model["similarities"][rows]
        return scores

    def als_scores(self, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Solve the user's factors, and multiply."""
        own = self.factors[places]
        square = self.als["gram"] + (own.T * (ALPHA * weights)) @ own
        return self.factors @ np.linalg.solve(square, own.T @ (1 + ALPHA * weights))


def merge(found: dict[str, dict[int, float]]) -> list[int]:
    """Return 500 items, each source in its turn by its quota."""
    turns = [
        ((rank + 1) / QUOTAS[name], place, code)
        for place, (name, scores) in enumerate(found.items())
        for rank, code in enumerate(scores)
    ]
    return list(dict.fromkeys(code for _, _, code in sorted(turns)))[:500]
