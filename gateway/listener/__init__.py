"""The data plane's downstream side: connections, bodies, responses, deadlines, draining."""
