import type { ByteWriter } from '../../shared/byte-writer.ts';

/** Where the parts of a finished message lie that are needed when it is sent. */
export interface FinishedMessage {
  /** First byte to send; the message ends where the writer ends. */
  readonly startAt: number;
  /** The byte that holds the lowest bits of the tag, so that a message can be marked as sent again. */
  readonly tagByteAt: number;
}

/** How a tunnel frames the entries of one lane into messages. */
export interface MessageForm {
  /** Begins a message in the empty `out`. */
  begin(out: ByteWriter): void;
  /** Appends the log `bytes[start, end)`. */
  append(bytes: Buffer, start: number, end: number): void;
  finish(): FinishedMessage;
}
