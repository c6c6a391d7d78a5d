import { BSON } from 'mongodb';
import { decodeRawMessage } from '../src/message/decode-raw-message.ts';
import type { WriteMark } from './delivery-check.ts';

/** One operation found in a message. */
export interface DemoOperation {
  /** Undefined for what the writer did not write: a command, for example. */
  readonly mark: WriteMark | undefined;
  readonly op: string;
  readonly namespace: string;
  /** The operation's document as JSON text. */
  readonly text: string;
}

/** The operations of one message, whatever its form. @throws on a message that is none */
export function decodeMessage(form: 'raw' | 'bson' | 'json', value: Buffer): DemoOperation[] {
  if (form === 'raw') return decodeRawMessage(value).logs.map((log) => operationOf(BSON.deserialize(log)));
  if (form === 'bson') return [operationOf(BSON.deserialize(value))];
  const entry: Record<string, unknown> = JSON.parse(value.toString());
  return [operationOf(entry)];
}

function operationOf(entry: Record<string, unknown>): DemoOperation {
  const op = String(entry['op']);
  const namespace = String(entry['ns']);
  const text = JSON.stringify(entry['o']);
  // The forms nest and name fields differently (a $v:2 diff, key and value pairs, $numberInt): the marks are found
  // in the text of all of them.
  const id = /"((?:ord|usr|pay)-\d+)"/.exec(op === 'u' ? JSON.stringify(entry['o2']) : text)?.[1];
  const revision = op === 'u' ? Number(/"revision"\D*(\d+)/.exec(text)?.[1] ?? -1) : 0;
  const known = id !== undefined && (op === 'i' || op === 'u' || op === 'd');
  return { op, namespace, text, mark: known ? { op, id, revision } : undefined };
}
