package lineside.peer;

import com.alibaba.fastjson2.JSONException;
import com.alibaba.fastjson2.JSONReader;
import java.time.DateTimeException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Decodes an event, member by member: so a wrong type is refused, and not taken for another.
 *
 * <p>A value that isn't an event ends in a {@link SerializationException}.
 */
final class EventDeserializer implements Deserializer<Event> {
    private static final int TEXT_MAX = 256;
    private static final int PLACE_MAX = 128;
    private static final Object PRESENT = new Object();
    private static final int MEMBERS = Member.values().length;

    @Override
    public Event deserialize(String topic, byte[] value) {
        if (value == null) {
            throw new SerializationException("no value");
        }
        try (JSONReader json = JSONReader.of(value)) {
            return event(json);
        } catch (JSONException
                | DateTimeException
                | ArithmeticException
                | NumberFormatException
                | IndexOutOfBoundsException e) {
            throw new SerializationException(e.getMessage(), e);
        }
    }

    private static Event event(JSONReader json) {
        Type type = null;
        String source = null;
        String id = null;
        String time = null;
        String plant = null;
        String line = null;
        Object[] data = null;
        boolean versioned = false;
        require(json.nextIfObjectStart(), "the event");
        while (!json.nextIfObjectEnd()) {
            String name = json.readFieldName();
            switch (name) {
                case "specversion" -> versioned = "1.0".equals(text(json, name, TEXT_MAX));
                case "type" -> type = Type.named(text(json, name, TEXT_MAX));
                case "source" -> source = text(json, name, TEXT_MAX);
                case "id" -> id = text(json, name, TEXT_MAX);
                case "time" -> time = text(json, name, TEXT_MAX);
                case "plant" -> plant = text(json, name, PLACE_MAX);
                case "line" -> line = text(json, name, PLACE_MAX);
                case "data" -> data = data(json);
                default -> json.skipValue();
            }
        }
        require(json.isEnd(), "the end");
        require(versioned, "specversion");
        require(type != null, "type");
        require(source != null, "source");
        require(id != null, "id");
        require(time != null, "time");
        require(plant != null, "plant");
        require(line != null, "line");
        require(data != null, "data");
        for (Member member : type.required) {
            require(data[member.ordinal()] != null, member.wireName);
        }
        return new Event(type, source, id, Instants.micros(time), plant, line, data);
    }

    private static Object[] data(JSONReader json) {
        require(json.nextIfObjectStart(), "data");
        Object[] data = new Object[MEMBERS];
        while (!json.nextIfObjectEnd()) {
            Member member = Member.named(json.readFieldName());
            if (member == null) {
                json.skipValue();
            } else if (member.shape == Member.Shape.ANY) {
                json.skipValue();
                data[member.ordinal()] = PRESENT;
            } else if (!json.nextIfNull()) {
                data[member.ordinal()] = member(json, member);
            }
        }
        return data;
    }

    private static Object member(JSONReader json, Member member) {
        switch (member.shape) {
            case MEASURE:
                if (json.isString()) {
                    return Decimals.parse(json.readString());
                }
                require(json.isNumber(), member.wireName);
                return Decimals.checked(json.readBigDecimal());
            case FLAG:
                char first = json.current();
                require(first == 't' || first == 'f', member.wireName);
                return json.readBoolValue();
            default:
                return text(json, member.wireName, TEXT_MAX);
        }
    }

    private static String text(JSONReader json, String name, int most) {
        require(json.isString(), name);
        String text = json.readString();
        require(!text.isEmpty() && text.length() <= most, name);
        return text;
    }

    private static void require(boolean right, String name) {
        if (!right) {
            throw new SerializationException("'" + name + "' is missing or wrong");
        }
    }
}
