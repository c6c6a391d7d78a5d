/** Counters of one Kafka tunnel; plain numbers, read when asked. */
export class KafkaTunnelStats {
  /** Acknowledged by the broker. */
  batches = 0;
  records = 0;
  /** Bytes of acknowledged batches as they went over the wire. */
  bytes = 0;
  /** Batches that were sent and not acknowledged, and so had to be sent again. */
  retries = 0;
  /** Batches sent and not yet answered. */
  inFlight = 0;
  /** Times that a partition needed another producer id. */
  producerResets = 0;
  /** Text of the last error, also of one that has passed; empty: none so far. */
  lastError = '';
}
