import { readFileSync } from 'node:fs';

/** What a process has used so far, from the kernel's own books. */
export interface ProcessUsage {
  /** CPU time of all its threads, user and system. */
  readonly cpuMs: number;
  /** That of its main thread. */
  readonly mainCpuMs: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

/** `sysconf(_SC_CLK_TCK)`: 100 on every Linux that Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;

/** @throws when the process is gone */
export function usageOf(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    cpuMs: cpuMsIn(`/proc/${pid}/stat`),
    mainCpuMs: cpuMsIn(`/proc/${pid}/task/${pid}/stat`),
    rssBytes: kilobytes(status, 'VmRSS'),
    peakRssBytes: kilobytes(status, 'VmHWM'),
  };
}

function cpuMsIn(file: string): number {
  const stat = readFileSync(file, 'utf8');
  // Fields are counted from behind the command's name, which may hold blanks: utime is the 14th, stime the 15th of all.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024;
}
