"""The worker's HTTP server: the page, its status document, metrics and probes."""
