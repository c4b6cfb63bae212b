"""The running program: start, signals, reload, drain."""
