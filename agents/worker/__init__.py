"""The process that hosts the agents: on Kafka or on the embedded log."""
