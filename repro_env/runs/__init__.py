"""Runs: make one, keep it, find it, replay it, remove it."""
