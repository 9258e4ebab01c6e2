"""Export: a detector as a file for another runtime, with a card, proven to be the same detector.

    from pocketdet.export import ExportSettings, export_detector

    exported = export_detector(detector, "model.onnx", ExportSettings(to="onnx"))

- `network.py`: what goes into the file; `formats/` has one file a runtime that writes it;
- `proof.py`: runs the written file beside the detector, and refuses it where they differ;
- `export.py`: one after the other.
"""

from pocketdet.export.export import Exported, RejectedExport, export_detector
from pocketdet.export.settings import ExportSettings

__all__ = ["ExportSettings", "Exported", "RejectedExport", "export_detector"]
