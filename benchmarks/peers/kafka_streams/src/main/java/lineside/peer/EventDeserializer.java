package lineside.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.DateTimeException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Decodes an event by Jackson's streaming API: binding to classes took more time (README.md).
 *
 * <p>A value that isn't an event ends in a {@link SerializationException}.
 */
final class EventDeserializer implements Deserializer<Event> {
    private static final int TEXT_MAX = 256;
    private static final int PLACE_MAX = 128;
    private static final Object PRESENT = new Object();
    private static final int MEMBERS = Member.values().length;

    private final JsonFactory json = new JsonFactory();

    @Override
    public Event deserialize(String topic, byte[] value) {
        if (value == null) {
            throw new SerializationException("no value");
        }
        try (JsonParser parser = json.createParser(value)) {
            return event(parser);
        } catch (IOException | DateTimeException | ArithmeticException | NumberFormatException e) {
            throw new SerializationException(e.getMessage(), e);
        }
    }

    private static Event event(JsonParser parser) throws IOException {
        Type type = null;
        String source = null;
        String id = null;
        String time = null;
        String plant = null;
        String line = null;
        Object[] data = null;
        boolean versioned = false;
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new SerializationException("not a JSON object");
        }
        for (String name; (name = parser.nextFieldName()) != null; ) {
            JsonToken token = parser.nextToken();
            switch (name) {
                case "specversion" -> versioned = "1.0".equals(parser.getText());
                case "type" -> type = Type.named(text(parser, token, name, TEXT_MAX));
                case "source" -> source = text(parser, token, name, TEXT_MAX);
                case "id" -> id = text(parser, token, name, TEXT_MAX);
                case "time" -> time = text(parser, token, name, TEXT_MAX);
                case "plant" -> plant = text(parser, token, name, PLACE_MAX);
                case "line" -> line = text(parser, token, name, PLACE_MAX);
                case "data" -> data = data(parser, token);
                default -> parser.skipChildren();
            }
        }
        if (parser.nextToken() != null) {
            throw new SerializationException("more than one JSON value");
        }
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

    private static Object[] data(JsonParser parser, JsonToken token) throws IOException {
        require(token == JsonToken.START_OBJECT, "data");
        Object[] data = new Object[MEMBERS];
        for (String name; (name = parser.nextFieldName()) != null; ) {
            token = parser.nextToken();
            Member member = Member.named(name);
            if (member == null) {
                parser.skipChildren();
            } else if (member.shape == Member.Shape.ANY) {
                parser.skipChildren();
                data[member.ordinal()] = PRESENT;
            } else if (token != JsonToken.VALUE_NULL) {
                data[member.ordinal()] = member(parser, token, member);
            }
        }
        return data;
    }

    private static Object member(JsonParser parser, JsonToken token, Member member)
            throws IOException {
        switch (member.shape) {
            case MEASURE:
                require(
                        token == JsonToken.VALUE_STRING
                                || token == JsonToken.VALUE_NUMBER_INT
                                || token == JsonToken.VALUE_NUMBER_FLOAT,
                        member.wireName);
                return Decimals.parse(parser.getText());
            case FLAG:
                require(
                        token == JsonToken.VALUE_TRUE || token == JsonToken.VALUE_FALSE,
                        member.wireName);
                return token == JsonToken.VALUE_TRUE;
            default:
                return text(parser, token, member.wireName, TEXT_MAX);
        }
    }

    private static String text(JsonParser parser, JsonToken token, String name, int most)
            throws IOException {
        require(token == JsonToken.VALUE_STRING, name);
        String text = parser.getText();
        require(!text.isEmpty() && text.length() <= most, name);
        return text;
    }

    private static void require(boolean right, String name) {
        if (!right) {
            throw new SerializationException("member '" + name + "' is missing or wrong");
        }
    }
}
