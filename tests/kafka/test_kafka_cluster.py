"""The tests' own cluster of three: what one node knows the others know, whatever is done to one."""

import pytest

from clusters import create_topic, delete_topics
from kafka_cluster import KafkaCluster

TOPIC = "of-three"


@pytest.mark.slow
def test_what_a_frozen_node_led_is_others(own_cluster: KafkaCluster) -> None:
    create_topic(own_cluster, TOPIC, 6)
    try:
        own_cluster.wait_until_in_step()
        leaders = own_cluster.leaders(TOPIC)
        assert set(leaders.values()) == set(own_cluster.nodes)
        frozen = leaders[0]
        own_cluster.freeze(frozen)
        own_cluster.wait_until_left(frozen)
        assert frozen not in own_cluster.leaders(TOPIC).values()
        own_cluster.thaw(frozen)
        own_cluster.wait_until_in_step()
    finally:
        own_cluster.revive()
        delete_topics(own_cluster, [TOPIC])


@pytest.mark.slow
def test_a_killed_controller_is_followed_by_another(own_cluster: KafkaCluster) -> None:
    killed = own_cluster.controller()
    own_cluster.kill(killed)
    assert own_cluster.controller() != killed
    own_cluster.start(killed)
    own_cluster.wait_until_in_step()


def test_it_says_who_coordinates(own_cluster: KafkaCluster) -> None:
    assert own_cluster.coordinator_of_group("somebody") in own_cluster.nodes
    assert own_cluster.coordinator_of_transactions("somebody-0") in own_cluster.nodes
