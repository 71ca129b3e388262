"""Sessions of ONNX Runtime on one thread of the CPU, as a request asks them."""

from pathlib import Path
from typing import Final

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    NotImplemented,  # noqa: A004 - ONNX Runtime's name
    RuntimeException,
)

FAULTS: Final = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, NotImplemented, RuntimeException)
"""What ONNX Runtime raises on a file that is no model."""

_ERRORS_ONLY = 3  # ONNX Runtime's severity scale: 3 is error


def opened(path: Path) -> onnxruntime.InferenceSession:
    """Return a session of the model in a file; raises OSError and one of `FAULTS`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ONLY
    # The bytes, not the path: a model from bytes cannot name further files to read.
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
