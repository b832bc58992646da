"""Master data: what `reference.v1` says, what comes of what a source says, and what goes where."""
