"""Logs and metrics, fed by settled outcomes."""
