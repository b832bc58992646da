package lineside.peer;

import java.math.BigDecimal;
import java.time.Duration;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Pairs the start and the end of each stop, whichever comes first, by (plant, line, episode).
 *
 * <p>An entry is there until its pair comes, or for the retention.
 */
final class Episodes {
    static final String STORE = "episodes";
    private static final int STARTED = 0;
    private static final int ENDED = 1;
    private static final int MICROS_PLACES = 6;

    private final Duration retention;
    private final Duration scanEvery;
    private final FieldWriter writer = new FieldWriter();
    private KeyValueStore<Bytes, byte[]> waiting;

    Episodes(Duration retention, Duration scanEvery) {
        this.retention = retention;
        this.scanEvery = scanEvery;
    }

    /** A stop whose start and end are known. */
    record Stop(Row row, BigDecimal seconds, long endMillis) {}

    void init(ProcessorContext<?, ?> context) {
        waiting = context.getStateStore(STORE);
        context.schedule(scanEvery, PunctuationType.STREAM_TIME, this::forget);
    }

    /** Returns the stop that a start or an end completes; null if it doesn't. */
    Stop told(Event event) {
        Bytes key =
                writer.text(event.plant())
                        .text(event.line())
                        .text(event.text(Member.EPISODE))
                        .key();
        int told = event.type() == Type.DOWNTIME_STARTED ? STARTED : ENDED;
        byte[] other = waiting.get(key);
        if (other == null) {
            waiting.put(key, entry(told, event));
            return null;
        }
        FieldReader reader = new FieldReader(other);
        long otherMicros = reader.number();
        if (reader.octet() == told) {
            return null;
        }
        waiting.delete(key);
        if (told == STARTED) {
            return stop(row(event), event.timeMicros(), otherMicros);
        }
        String[] members = {reader.text(), reader.text(), reader.text()};
        Row row = new Row(Kind.DOWNTIME, event.plant(), event.line(), members);
        return stop(row, otherMicros, event.timeMicros());
    }

    private byte[] entry(int told, Event event) {
        writer.number(event.timeMicros()).octet(told);
        if (told == STARTED) {
            for (String member : row(event).members()) {
                writer.text(member);
            }
        }
        return writer.bytes();
    }

    private static Row row(Event started) {
        String[] members = {
            started.text(Member.WORK_UNIT),
            started.text(Member.REASON),
            Boolean.toString(started.flag(Member.PLANNED)),
        };
        return new Row(Kind.DOWNTIME, started.plant(), started.line(), members);
    }

    /** An end before its start is no stop. */
    private static Stop stop(Row row, long startMicros, long endMicros) {
        if (endMicros < startMicros) {
            return null;
        }
        BigDecimal seconds = BigDecimal.valueOf(endMicros - startMicros, MICROS_PLACES);
        return new Stop(row, seconds, Math.floorDiv(endMicros, 1_000L));
    }

    private void forget(long streamTime) {
        try (KeyValueIterator<Bytes, byte[]> all = waiting.all()) {
            while (all.hasNext()) {
                KeyValue<Bytes, byte[]> entry = all.next();
                long micros = new FieldReader(entry.value).number();
                if (micros / 1_000 < streamTime - retention.toMillis()) {
                    waiting.delete(entry.key);
                }
            }
        }
    }
}
