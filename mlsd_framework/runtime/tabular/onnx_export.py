"""From a trained network over rows to ONNX, held against torch."""

import io
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from mlsd_framework.diagnostics.errors import RunError
from mlsd_framework.runtime.tabular.encoding import Encoded
from mlsd_framework.runtime.tabular.rows import Rows

_OPSET: Final = 17
_CLOSE: Final = 1e-5
_PROBES: Final = 256


def onnx_bytes(network: torch.nn.Module, widths: tuple[int, int], output: str) -> bytes:
    """Return a network as ONNX: `codes` int32 [rows, codes] and `values` float32 [rows, values] to its output."""
    codes, values = widths
    given = (torch.ones(2, codes, dtype=torch.int32), torch.zeros(2, values))
    written = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing, which is deprecated: the newer one needs onnxscript, and no network here branches.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            given,
            written,  # type: ignore[arg-type]
            input_names=["codes", "values"],
            output_names=[output],
            dynamic_axes={name: {0: "rows"} for name in ("codes", "values", output)},
            opset_version=_OPSET,
            dynamo=False,
        )
    return written.getvalue()


def compare(
    what: str, network: torch.nn.Module, exported: Callable[[Encoded], NDArray[np.floating[Any]]], rows: Encoded
) -> None:
    """Hold what is served against torch, on some of the rows.

    Raises RunError E6335, which says that `what` gives others, where a number differs by 1e-5 or more, in parts of
    itself where it is above 1.
    """
    probes = rows.take(np.arange(min(_PROBES, len(rows))))
    with torch.no_grad():
        expected = network(*Rows.of(probes)).numpy()
    scale = np.maximum(np.abs(expected), 1.0)
    apart = float((np.abs(expected - exported(probes)) / scale).max(initial=0.0))
    if not apart < _CLOSE:
        raise RunError.of("E6335", f"{what} that differ by {apart:g}", expected=f"< {_CLOSE:g}")
