// Reads topics with JavaScript's SDK of CloudEvents, from their beginnings to their ends, and prints a line of JSON for each
// record:
//
//     NODE_PATH=node_modules node read_events.js SERVERS GROUP TOPIC...

const { Kafka: CloudEvents } = require("cloudevents");
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require("kafkajs");
const { unpacked } = require("./lz4.js");

CompressionCodecs[CompressionTypes.LZ4] = () => ({ decompress: async (data) => unpacked(data) });

const [servers, groupId, ...topics] = process.argv.slice(2);
const kafka = new Kafka({ brokers: servers.split(","), logLevel: logLevel.ERROR });

function told(topic, partition, { key, value, headers, offset }) {
  // kafkajs has bytes where the SDK wants texts.
  const texts = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]));
  const message = { key: key?.toString(), value: value.toString(), headers: texts };
  if (!CloudEvents.isEvent(message)) throw new Error(`${topic}/${partition}/${offset} is no CloudEvent`);
  const event = CloudEvents.toEvent(message);
  event.validate();
  return JSON.stringify({ ...event, topic, partition, offset: Number(offset) });
}

// A group's consumer reads past the last record only when there is more: what is left is counted.
async function main() {
  const admin = kafka.admin();
  await admin.connect();
  const left = new Set();
  const ends = new Map();
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (low !== high) left.add(`${topic}/${partition}`);
      ends.set(`${topic}/${partition}`, BigInt(high));
    }
  }
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await new Promise((resolve, reject) => {
    const done = () => left.size || resolve();
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer.run({
      eachBatch: async ({ batch }) => {
        const at = `${batch.topic}/${batch.partition}`;
        try {
          for (const message of batch.messages) console.log(told(batch.topic, batch.partition, message));
        } catch (error) {
          reject(error);
        }
        if (BigInt(batch.lastOffset()) + 1n >= ends.get(at)) left.delete(at);
        done();
      },
    }).then(done, reject);
  });
  await consumer.disconnect();
  await admin.deleteGroups([groupId]);
  await admin.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
