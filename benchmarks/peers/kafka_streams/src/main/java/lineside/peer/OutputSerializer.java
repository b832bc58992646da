package lineside.peer;

import com.alibaba.fastjson2.JSONWriter;
import java.util.Map;
import org.apache.kafka.common.serialization.Serializer;

/** Encodes a record that leaves as JSON. */
final class OutputSerializer implements Serializer<Output> {
    @Override
    public byte[] serialize(String topic, Output output) {
        try (JSONWriter json = JSONWriter.ofUTF8()) {
            json.startObject();
            name(json, "type").writeString(output.type());
            name(json, "plant").writeString(output.plant());
            name(json, "line").writeString(output.line());
            name(json, "data").startObject();
            for (Map.Entry<String, Object> member : output.data().entrySet()) {
                name(json, member.getKey());
                if (member.getValue() instanceof Boolean flag) {
                    json.writeBool(flag);
                } else {
                    json.writeString((String) member.getValue());
                }
            }
            json.endObject();
            json.endObject();
            return json.getBytes();
        }
    }

    private static JSONWriter name(JSONWriter json, String name) {
        json.writeName(name);
        json.writeColon();
        return json;
    }
}
