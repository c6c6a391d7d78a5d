import { decodeRawMessage } from './decode-raw-message.ts';
import { messageFormOf, type MessageForm } from './message-form-of.ts';
import { OplogEntry } from './oplog-entry.ts';
import { parseJsonEntry } from './parse-json-entry.ts';

/** What a message of any form holds. */
export interface DecodedMessage {
  readonly form: MessageForm;
  /** In their order. Those of raw and bson messages are views of the message. */
  readonly entries: OplogEntry[];
  /** Raw: the worker that sent it. */
  readonly shard: number | undefined;
  /** Raw: it ends before its last entry. MongoShake's collector writes such pieces of a batch before the whole one. */
  readonly incomplete: boolean;
}

/**
 * Decodes the value of one Kafka record, one packet of the tunnels tcp and rpc, or one block of a file, whatever
 * `tunnel.message` it was written with.
 * @param form when it is known; otherwise it is found out
 * @throws RawMessageError or JsonMessageError when the bytes are not of that form
 */
export function decodeMessage(bytes: Buffer, form: MessageForm = messageFormOf(bytes)): DecodedMessage {
  switch (form) {
    case 'json':
      return { form, entries: [parseJsonEntry(bytes)], shard: undefined, incomplete: false };
    case 'bson':
      return { form, entries: [new OplogEntry(bytes)], shard: undefined, incomplete: false };
    default: {
      const { logs, shard, incomplete } = decodeRawMessage(bytes);
      return { form, entries: logs.map((log) => new OplogEntry(log)), shard, incomplete };
    }
  }
}
