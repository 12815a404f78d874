"""The record of a run: its types, its bytes, and two of them side by side."""
