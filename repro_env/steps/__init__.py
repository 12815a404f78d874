"""The reading side of a trace: what two attempts computed step by step, and where they part."""
