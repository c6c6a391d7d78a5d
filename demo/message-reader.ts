import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { visitTopic } from '../testbed/read-topic.ts';

/** Gives each message that has come since the last call to `visit`, in order. */
export type MessageReader = (visit: (value: Buffer) => void) => Promise<void>;

/** Messages of a topic. */
export function topicReader(brokers: string, topic: string): MessageReader {
  let from = new Map<number, bigint>();
  return async (visit) => {
    from = await visitTopic({
      brokers,
      topic,
      from,
      visit: (record) => {
        if (record.value !== null) visit(record.value);
      },
    });
  };
}

/** Lines of the files `path`, `path.000001`, ... that the file tunnel writes. */
export function fileReader(path: string): MessageReader {
  const offsets = new Map<string, number>();
  return async (visit) => {
    const names = (await readdir(dirname(path))).filter((name) => name.startsWith(basename(path))).toSorted();
    for (const name of names) {
      const file = join(dirname(path), name);
      const start = offsets.get(file) ?? 0;
      const { size } = await stat(file);
      if (size > start) offsets.set(file, start + (await readLines(file, { start, end: size }, visit)));
    }
  };
}

/** Returns how many bytes the complete lines had: half a line stays for the next time. */
async function readLines(
  file: string,
  range: { start: number; end: number },
  visit: (line: Buffer) => void,
): Promise<number> {
  let rest = Buffer.alloc(0);
  let consumed = 0;
  const stream = createReadStream(file, {
    start: range.start,
    end: range.end - 1,
    highWaterMark: 1024 * 1024,
  });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let at = 0;
    for (let end = bytes.indexOf(10, at); end >= 0; end = bytes.indexOf(10, at)) {
      visit(bytes.subarray(at, end));
      consumed += end + 1 - at;
      at = end + 1;
    }
    rest = bytes.subarray(at);
  }
  return consumed;
}
