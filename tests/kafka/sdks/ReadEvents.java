// Reads topics with Java's SDK of CloudEvents, from their beginnings to their ends, and prints a line of JSON for each record:
//
//     java -cp 'jars/*' ReadEvents.java SERVERS TOPIC...

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class ReadEvents {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("isolation.level", "read_committed");
        settings.put("key.deserializer", StringDeserializer.class);
        settings.put("value.deserializer", CloudEventDeserializer.class);
        try (KafkaConsumer<String, CloudEvent> consumer = new KafkaConsumer<>(settings)) {
            List<TopicPartition> partitions = Arrays.stream(arguments).skip(1)
                .flatMap(topic -> consumer.partitionsFor(topic).stream())
                .map(found -> new TopicPartition(found.topic(), found.partition()))
                .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    System.out.println(told(record.topic(), record.partition(), record.offset(), record.value()));
                }
            }
        }
    }

    private static String told(String topic, int partition, long offset, CloudEvent event) throws Exception {
        ObjectNode line = JSON.createObjectNode();
        line.put("topic", topic).put("partition", partition).put("offset", offset);
        line.put("specversion", event.getSpecVersion().toString());
        line.put("id", event.getId()).put("type", event.getType());
        line.put("source", event.getSource().toString());
        line.put("time", event.getTime() == null ? null : event.getTime().toInstant().toString());
        for (String name : event.getExtensionNames()) {
            line.set(name, JSON.valueToTree(event.getExtension(name)));
        }
        line.set("data", JSON.readTree(event.getData().toBytes()));
        return JSON.writeValueAsString(line);
    }
}
