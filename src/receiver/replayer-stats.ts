/** Counters of one replayer since the start. */
export class ReplayerStats {
  /** Entries that were applied, or given up. */
  done = 0;
  /** Batches that were rejected and given again. */
  retries = 0;
  /** Entries and messages that were left out. */
  skipped = 0;
  /** Of these, those in the dead letter file. */
  deadLettered = 0;
  /** What is wrong at the moment. */
  trouble: string | undefined = undefined;
}
