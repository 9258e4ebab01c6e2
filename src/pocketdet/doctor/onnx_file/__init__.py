"""Examine an exported file: what its graph and its runs show, without the network behind it."""

from pocketdet.doctor.onnx_file.examine import examine_onnx

__all__ = ["examine_onnx"]
