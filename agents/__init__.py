"""Verbs: the agents of the Faust app; read `agents.topology` first."""
