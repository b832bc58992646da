package lineside.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Map;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serializer;

/** Encodes a record that leaves as JSON. */
final class OutputSerializer implements Serializer<Output> {
    private static final int USUAL_BYTES = 512;

    private final JsonFactory json = new JsonFactory();

    @Override
    public byte[] serialize(String topic, Output output) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(USUAL_BYTES);
        try (JsonGenerator generator = json.createGenerator(bytes)) {
            generator.writeStartObject();
            generator.writeStringField("type", output.type());
            generator.writeStringField("plant", output.plant());
            generator.writeStringField("line", output.line());
            generator.writeObjectFieldStart("data");
            for (Map.Entry<String, Object> member : output.data().entrySet()) {
                if (member.getValue() instanceof Boolean flag) {
                    generator.writeBooleanField(member.getKey(), flag);
                } else {
                    generator.writeStringField(member.getKey(), (String) member.getValue());
                }
            }
            generator.writeEndObject();
            generator.writeEndObject();
        } catch (IOException e) {
            throw new SerializationException(e.getMessage(), e);
        }
        return bytes.toByteArray();
    }
}
