"""Settings: from the environment or a file, checked, and what they say of the cluster."""
