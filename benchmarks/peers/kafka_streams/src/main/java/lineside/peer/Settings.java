package lineside.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** The settings that differ from Kafka Streams' defaults, each with its reason. */
final class Settings {
    private static final int BATCH_BYTES = 256 * 1024;
    private static final int POLL_RECORDS = 4_000;

    /** One setting; the value is a text or a number. */
    record Setting(String name, Object value, String reason) {}

    private Settings() {}

    static List<Setting> of(Arguments arguments) {
        List<Setting> settings = new ArrayList<>();
        settings.add(new Setting(StreamsConfig.APPLICATION_ID_CONFIG, arguments.group(), "asked for"));
        settings.add(
                new Setting(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.broker(), "asked for"));
        settings.add(new Setting(StreamsConfig.STATE_DIR_CONFIG, arguments.state(), "asked for"));
        if (arguments.threads() != 1) {
            settings.add(
                    new Setting(
                            StreamsConfig.NUM_STREAM_THREADS_CONFIG,
                            arguments.threads(),
                            "asked for"));
        }
        if (arguments.guarantee().equals("exactly_once")) {
            settings.add(
                    new Setting(
                            StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
                            StreamsConfig.EXACTLY_ONCE_V2,
                            "asked for"));
        }
        settings.add(
                new Setting(
                        StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG,
                        SkipBadValues.class.getName(),
                        "a bad value is counted and skipped"));
        settings.add(
                new Setting(
                        StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG),
                        BATCH_BYTES,
                        "a replay fills 16 KiB several times a linger: fewer, larger requests"));
        settings.add(
                new Setting(
                        StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG),
                        POLL_RECORDS,
                        "fewer polls: 1,000 by default"));
        arguments
                .settings()
                .forEach((name, value) -> settings.add(new Setting(name, value, "asked for")));
        return settings;
    }

    static Properties properties(List<Setting> settings, Counts counts) {
        Properties properties = new Properties();
        for (Setting setting : settings) {
            properties.put(setting.name(), setting.value());
        }
        properties.put(SkipBadValues.COUNTS, counts);
        return properties;
    }
}
