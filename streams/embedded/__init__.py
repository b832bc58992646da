"""EDGE: a log in files of its own, as a Faust transport, for one worker without Kafka."""
