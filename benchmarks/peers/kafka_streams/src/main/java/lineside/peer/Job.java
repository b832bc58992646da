package lineside.peer;

import java.time.Duration;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The topology. Records are keyed by plant/line and stay in their partition: nothing is
 * repartitioned.
 *
 * <pre>
 * mes.events.v1     -> deduplicate-mes -> add-up -> out
 *                           |               |
 *                        seen-mes       windows, episodes
 * machine.events.v1 -> deduplicate-machine
 *                           |
 *                      seen-machine
 * </pre>
 */
final class Job {
    static final String MES = "mes.events.v1";
    static final String MACHINE = "machine.events.v1";

    private static final Duration MES_RETENTION = Duration.ofDays(7);
    private static final Duration MACHINE_RETENTION = Duration.ofHours(24);

    private Job() {}

    static Topology topology(String outTopic, Counts counts) {
        Topology topology = new Topology();
        deduplicate(topology, "mes", MES, MES_RETENTION, counts);
        deduplicate(topology, "machine", MACHINE, MACHINE_RETENTION, counts);
        topology.addProcessor(
                "add-up",
                () -> new AddUp(counts, MES_RETENTION, scanEvery(MES_RETENTION)),
                "deduplicate-mes");
        topology.addStateStore(store(AddUp.WINDOWS, Serdes.ByteArray()), "add-up");
        topology.addStateStore(store(Episodes.STORE, Serdes.ByteArray()), "add-up");
        topology.addSink(
                "out", outTopic, Serdes.String().serializer(), new OutputSerializer(), "add-up");
        return topology;
    }

    private static void deduplicate(
            Topology topology, String name, String topic, Duration retention, Counts counts) {
        TimestampExtractor eventTime =
                (record, partitionTime) -> ((Event) record.value()).timeMillis();
        Deserializer<String> key = Serdes.String().deserializer();
        String store = "seen-" + name;
        topology.addSource(
                AutoOffsetReset.earliest(), name, eventTime, key, new EventDeserializer(), topic);
        topology.addProcessor(
                "deduplicate-" + name,
                () -> new Deduplicate(store, retention, scanEvery(retention), counts),
                name);
        topology.addStateStore(store(store, Serdes.Long()), "deduplicate-" + name);
    }

    /** RocksDB with a changelog. No cache: the Processor API's default, and cheaper (README.md). */
    private static <V> StoreBuilder<KeyValueStore<Bytes, V>> store(String name, Serde<V> values) {
        return Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(name), Serdes.Bytes(), values);
    }

    /** Returns how often what has expired is looked for: a store holds a quarter more at most. */
    private static Duration scanEvery(Duration retention) {
        return retention.dividedBy(4);
    }
}
