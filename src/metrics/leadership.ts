/** Who leads among the collectors of a job, as pages and metrics show it. */
export interface Leadership {
  readonly role: 'master' | 'standby';
  /** 0 while there has been no election of ours. */
  readonly term: bigint;
  /** The master, ourselves or another; undefined while there is none. */
  readonly master: { readonly host: string; readonly pid: number } | undefined;
  /** Since when this collector has its role, milliseconds since 1970. */
  readonly sinceMs: number;
}
