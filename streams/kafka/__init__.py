"""EDGE: Apache Kafka, through aiokafka: as a Faust transport, and for what Faust doesn't do."""
