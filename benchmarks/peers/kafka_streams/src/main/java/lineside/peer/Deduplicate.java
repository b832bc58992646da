package lineside.peer;

import java.time.Duration;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Passes on an event the first time that its (plant, line, source, id) comes within the retention.
 *
 * <p>What has expired goes by a scan of the store, in stream time. Telemetry has no identity.
 */
final class Deduplicate implements Processor<String, Event, String, Event> {
    private final String storeName;
    private final Duration retention;
    private final Duration scanEvery;
    private final Counts counts;
    private final FieldWriter writer = new FieldWriter();
    private ProcessorContext<String, Event> context;
    private KeyValueStore<Bytes, Long> seen;

    Deduplicate(String storeName, Duration retention, Duration scanEvery, Counts counts) {
        this.storeName = storeName;
        this.retention = retention;
        this.scanEvery = scanEvery;
        this.counts = counts;
    }

    @Override
    public void init(ProcessorContext<String, Event> context) {
        this.context = context;
        seen = context.getStateStore(storeName);
        context.schedule(scanEvery, PunctuationType.STREAM_TIME, this::forget);
    }

    @Override
    public void process(Record<String, Event> record) {
        counts.records.increment();
        Event event = record.value();
        if (event.type() == Type.MACHINE_TELEMETRY) {
            return;
        }
        Bytes identity =
                writer.text(event.plant())
                        .text(event.line())
                        .text(event.source())
                        .text(event.id())
                        .key();
        if (seen.putIfAbsent(identity, event.timeMillis()) != null) {
            counts.duplicates.increment();
            return;
        }
        context.forward(record);
    }

    private void forget(long streamTime) {
        try (KeyValueIterator<Bytes, Long> all = seen.all()) {
            while (all.hasNext()) {
                KeyValue<Bytes, Long> entry = all.next();
                if (entry.value < streamTime - retention.toMillis()) {
                    seen.delete(entry.key);
                }
            }
        }
    }
}
