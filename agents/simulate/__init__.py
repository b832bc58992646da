"""A simulated factory: what its lines send, with the mess of real plants, at a pace."""
