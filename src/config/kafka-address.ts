/** One Kafka broker to begin with. */
export interface KafkaBroker {
  readonly host: string;
  readonly port: number;
}

/** `topic@broker1:9092,broker2:9092`. */
export interface KafkaAddress {
  readonly topic: string;
  readonly brokers: readonly KafkaBroker[];
}

const defaultTopic = 'mongoshake';
const defaultPort = 9092;

/**
 * Reads the address of the kafka tunnel; without `@` the topic is MongoShake's default, `mongoshake`.
 * @returns what is wrong with the address as text, otherwise its parts.
 */
export function parseKafkaAddress(text: string): KafkaAddress | string {
  const at = text.indexOf('@');
  const topic = at < 0 ? defaultTopic : text.slice(0, at).trim();
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic) || topic === '.' || topic === '..') {
    return `the topic "${topic}" is not a name that Kafka takes (letters, digits, ".", "_" and "-", at most 249)`;
  }
  const brokers: KafkaBroker[] = [];
  for (const item of text.slice(at + 1).split(',')) {
    const broker = item.trim();
    if (broker === '') continue;
    const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/.exec(broker);
    const port = Number(match?.[2] ?? defaultPort);
    if (match?.[1] === undefined || port < 1 || port > 65535)
      return `"${broker}" is not a broker (host:port)`;
    brokers.push({ host: match[1].replace(/^\[|\]$/g, ''), port });
  }
  return brokers.length === 0 ? 'it names no broker' : { topic, brokers };
}
