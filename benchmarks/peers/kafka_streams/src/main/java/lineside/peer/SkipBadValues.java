package lineside.peer;

import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.errors.DeserializationExceptionHandler;
import org.apache.kafka.streams.errors.ErrorHandlerContext;

/** Counts a value that couldn't be decoded, and goes on: it takes its counts from the settings. */
public final class SkipBadValues implements DeserializationExceptionHandler {
    /** The setting under which a {@link Counts} is given. */
    static final String COUNTS = "lineside.counts";

    private Counts counts;

    @Override
    public void configure(Map<String, ?> settings) {
        counts = (Counts) settings.get(COUNTS);
    }

    @Override
    public DeserializationHandlerResponse handle(
            ErrorHandlerContext context, ConsumerRecord<byte[], byte[]> record, Exception exception) {
        counts.records.increment();
        counts.bad.increment();
        return DeserializationHandlerResponse.CONTINUE;
    }
}
