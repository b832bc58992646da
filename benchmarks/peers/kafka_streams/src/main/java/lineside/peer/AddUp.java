package lineside.peer;

import java.math.BigDecimal;
import java.time.Duration;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Adds up consumption, scrap and downtime by row and window of stream time; confirmations leave at
 * once.
 *
 * <p>A window takes events until stream time has reached its end + grace. Then its rows leave, one
 * record each; what comes later leaves at once, as late.
 */
final class AddUp implements Processor<String, Event, String, Output> {
    static final String WINDOWS = "windows";
    static final long WINDOW_MILLIS = Duration.ofSeconds(60).toMillis();
    static final long GRACE_MILLIS = Duration.ofSeconds(30).toMillis();

    private final Counts counts;
    private final FieldWriter writer = new FieldWriter();
    private final Episodes episodes;
    private ProcessorContext<String, Output> context;
    private KeyValueStore<Bytes, byte[]> windows;

    /** Windows that start before this have closed; milliseconds since the epoch. */
    private long openFrom = Long.MIN_VALUE;

    AddUp(Counts counts, Duration retention, Duration scanEvery) {
        this.counts = counts;
        episodes = new Episodes(retention, scanEvery);
    }

    @Override
    public void init(ProcessorContext<String, Output> context) {
        this.context = context;
        windows = context.getStateStore(WINDOWS);
        episodes.init(context);
    }

    @Override
    public void process(Record<String, Event> record) {
        close(context.currentStreamTimeMs());
        Event event = record.value();
        switch (event.type()) {
            case PRODUCTION_CONFIRMED -> forward(Output.confirmation(event), event.timeMillis());
            case MATERIAL_CONSUMED -> addQuantity(Kind.CONSUMPTION, event);
            case SCRAP_DECLARED -> addQuantity(Kind.SCRAP, event);
            case DOWNTIME_STARTED, DOWNTIME_ENDED -> {
                Episodes.Stop stop = episodes.told(event);
                if (stop != null) {
                    add(stop.row(), new Sum(stop.seconds(), 1), stop.endMillis());
                }
            }
            default -> {}
        }
    }

    private void addQuantity(Kind kind, Event event) {
        BigDecimal quantity = event.measure(Member.QUANTITY);
        add(Row.of(kind, event), new Sum(quantity, 0), event.timeMillis());
    }

    private void add(Row row, Sum sum, long timeMillis) {
        long start = windowStart(timeMillis);
        if (start < openFrom) {
            counts.late.increment();
            forward(Output.late(row, sum), timeMillis);
            return;
        }
        Bytes key = row.key(writer, start);
        byte[] before = windows.get(key);
        windows.put(key, (before == null ? sum : Sum.read(before).plus(sum)).bytes(writer));
    }

    private void close(long streamTime) {
        long from = windowStart(streamTime - GRACE_MILLIS);
        if (from <= openFrom) {
            return;
        }
        // From what was closed before, or the scan would step over all that was ever deleted.
        Bytes begin = openFrom == Long.MIN_VALUE ? null : writer.number(openFrom).key();
        Bytes end = writer.number(from).key();
        openFrom = from;
        try (KeyValueIterator<Bytes, byte[]> closed = windows.range(begin, end)) {
            while (closed.hasNext()) {
                KeyValue<Bytes, byte[]> entry = closed.next();
                FieldReader reader = new FieldReader(entry.key.get());
                long start = reader.number();
                Sum sum = Sum.read(entry.value);
                Row row = Row.read(reader);
                forward(Output.windowed(row, sum, Instants.text(start)), start + WINDOW_MILLIS);
                windows.delete(entry.key);
            }
        }
    }

    private void forward(Output output, long timeMillis) {
        context.forward(new Record<>(output.key(), output, timeMillis));
    }

    private static long windowStart(long timeMillis) {
        return Math.floorDiv(timeMillis, WINDOW_MILLIS) * WINDOW_MILLIS;
    }
}
