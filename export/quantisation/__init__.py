"""A float program and its ranges into fp16, dynamic-range and INT8 TFLite."""
