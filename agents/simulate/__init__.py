"""A simulated factory: its lines send events at a given rate, with the mess of real plants."""
