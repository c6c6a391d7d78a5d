/** The library: reading what a collector has written, with a Kafka client of your own or without one. */
export { decodeMessage, type DecodedMessage } from './message/decode-message.ts';
export { decodeRawMessage } from './message/decode-raw-message.ts';
export { isIncompleteRawMessage } from './message/is-incomplete-raw-message.ts';
export { JsonMessageError } from './message/json-message-error.ts';
export { messageFormOf, type MessageForm } from './message/message-form-of.ts';
export { OplogEntry } from './message/oplog-entry.ts';
export { RawMessageError } from './message/raw-message-error.ts';
export { RawTag, type RawMessage } from './message/raw-message.ts';
export { formatPosition, incrementOf, positionOf, secondsOf, type Position } from './oplog/position.ts';
export type { ApplyContext, Replayer, ReplayerContext } from './receiver/replayer.ts';
export { OplogueError } from './shared/errors.ts';
