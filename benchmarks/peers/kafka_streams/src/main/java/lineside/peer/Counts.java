package lineside.peer;

import java.util.concurrent.atomic.LongAdder;

/** What became of the records, of all stream threads together; told while they run. */
final class Counts {
    final LongAdder records = new LongAdder();
    final LongAdder bad = new LongAdder();
    final LongAdder duplicates = new LongAdder();
    final LongAdder late = new LongAdder();

    /** Returns a line of progress, as JSON. */
    String json() {
        return String.format(
                "{\"records\": %d, \"bad\": %d, \"duplicates\": %d, \"late\": %d}",
                records.sum(), bad.sum(), duplicates.sum(), late.sum());
    }
}
