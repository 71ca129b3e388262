"""What networks over rows share: features and their encoding, lookups of vectors, training, ONNX; torch only trains."""
