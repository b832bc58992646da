"""EDGE: a log in files of this process's own, as a Faust transport, for one worker without Kafka."""
