"""Verify: attempts at one run, what they show, and where two of them part."""
