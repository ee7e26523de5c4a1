"""What a file really computes in, operator by operator: the name INT8 has to be earned."""

from export.inspection.audit.findings import Audit, Operator
from export.inspection.audit.qdq import audit_onnx
from export.inspection.audit.tflite import audit

__all__ = ["Audit", "Operator", "audit", "audit_onnx"]
