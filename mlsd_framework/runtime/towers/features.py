"""What a two-tower model reads: the features of each tower, as declared."""

from dataclasses import dataclass

from mlsd_framework.runtime.tabular.features import Category, Embedding, Feature, LastItems


@dataclass(frozen=True, slots=True)
class Towers:
    """The features of both towers and the vocabularies that they name.

    Raises ValueError where a feature stands twice in a tower or names a vocabulary that is not declared.
    """

    user: tuple[Feature, ...]
    item: tuple[Feature, ...]
    embeddings: tuple[Embedding, ...]

    def __post_init__(self) -> None:
        """Check the names."""
        declared = {embedding.name for embedding in self.embeddings}
        for side, features in (("user", self.user), ("item", self.item)):
            names = [feature.name for feature in features]
            if not names or len(set(names)) < len(names):
                raise ValueError(f"the {side} tower has {names}; it needs features of different names")
            for feature in features:
                if isinstance(feature, Category | LastItems) and feature.embedding not in declared:
                    raise ValueError(f"`{feature.name}` names the vocabulary `{feature.embedding}`, one of {declared}")
