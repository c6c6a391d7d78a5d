import type { ReplicationStats } from '../metrics/replication-stats.ts';

/** From when on a condition counts as trouble, in milliseconds. */
export interface HealthLimits {
  /** The done position stands still although the oplog goes on. */
  readonly stuckMs: number;
  /** The far side does not take messages. */
  readonly tunnelTroubleMs: number;
  /** What is done is not in the checkpoint. */
  readonly checkpointAgeMs: number;
}

export const defaultHealthLimits: HealthLimits = {
  stuckMs: 60_000,
  tunnelTroubleMs: 60_000,
  checkpointAgeMs: 600_000,
};

export interface Health {
  readonly status: 'ok' | 'failing';
  readonly sources: ReadonlyArray<{
    readonly name: string;
    readonly state: string;
    readonly problems: string[];
  }>;
}

/** Whether every source goes forward. A paused one is well: somebody asked for it. */
export function health(sources: readonly ReplicationStats[], limits: HealthLimits, nowMs: number): Health {
  const pages = sources.map((stats) => ({
    name: stats.name,
    state: stats.state,
    problems: problemsOf(stats, limits, nowMs),
  }));
  return { status: pages.every((page) => page.problems.length === 0) ? 'ok' : 'failing', sources: pages };
}

function problemsOf(stats: ReplicationStats, limits: HealthLimits, nowMs: number): string[] {
  const problems: string[] = [];
  // Ready to take over is all that is asked of it.
  if (stats.state === 'standby') return problems;
  if (stats.state === 'failed' || stats.state === 'stalled') {
    problems.push(`the replication is ${stats.state}${stats.reason === '' ? '' : `: ${stats.reason}`}`);
  }
  if (stats.state === 'stopped') problems.push('the replication is stopped');
  const troubleMs = stats.tunnelTroubleSinceMs === 0 ? 0 : nowMs - stats.tunnelTroubleSinceMs;
  if (troubleMs > limits.tunnelTroubleMs) {
    problems.push(`the tunnel takes nothing for ${inSeconds(troubleMs)}: ${stats.tunnelTrouble}`);
  }
  if (stats.state === 'streaming' && stats.stuckMs(nowMs) > limits.stuckMs) {
    problems.push(`the position has not moved for ${inSeconds(stats.stuckMs(nowMs))}`);
  }
  if (stats.checkpointAgeMs(nowMs) > limits.checkpointAgeMs) {
    problems.push(`no checkpoint could be written for ${inSeconds(stats.checkpointAgeMs(nowMs))}`);
  }
  return problems;
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
