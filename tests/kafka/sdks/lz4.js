// Unpacks a frame of LZ4, as Kafka's clients write it: kafkajs can't by itself, and lz4js gets some matches wrong.

const BLOCK_CHECKSUMS = 16;
const CONTENT_SIZE = 8;

function unpacked(frame) {
  const flags = frame[4];
  let at = flags & CONTENT_SIZE ? 15 : 7;
  let found = Buffer.alloc(1 << 20);
  let end = 0;

  const makeRoom = (more) => {
    while (end + more > found.length) found = Buffer.concat([found, Buffer.alloc(found.length)]);
  };
  const take = (size) => {
    makeRoom(size);
    frame.copy(found, end, at, at + size);
    end += size;
    at += size;
  };
  const length = (begun) => {
    let more = begun === 15 ? 255 : 0;
    for (; more === 255; begun += more) more = frame[at++];
    return begun;
  };

  for (;;) {
    const head = frame.readUInt32LE(at);
    at += 4;
    if (head === 0) return found.subarray(0, end);
    const stop = at + (head & 0x7fffffff);
    if (head >>> 31) take(stop - at);
    while (at < stop) {
      const token = frame[at++];
      take(length(token >> 4));
      if (at === stop) break; // the last of a block are literals
      const back = frame.readUInt16LE(at);
      at += 2;
      const size = length(token & 15) + 4;
      makeRoom(size);
      for (let index = 0; index < size; index++, end++) found[end] = found[end - back];
    }
    if (flags & BLOCK_CHECKSUMS) at += 4;
  }
}

module.exports = { unpacked };
