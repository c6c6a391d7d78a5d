import { collectDefaultMetrics, type Registry } from 'prom-client';

const METRICS_PREFIX = 'oplogue_';

/** What prom-client derives from a timer that wakes the process a hundred times a second; see {@link addProcessMetrics}. */
const TIMER_STATISTICS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];
/** One cannot switch the timer off, so it is made slow. */
const TIMER_MS = 60_000;

/**
 * Adds what is known of any Node process: CPU, memory, garbage collection, file handles, event loop lag.
 *
 * Left out are the statistics of the event loop's delay: their timer was two thirds of what an idle collector took of a core.
 * The lag at the moment of the scrape stays.
 */
export function addProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register, prefix: METRICS_PREFIX, eventLoopMonitoringPrecision: TIMER_MS });
  for (const name of TIMER_STATISTICS) {
    register.removeSingleMetric(`${METRICS_PREFIX}nodejs_eventloop_lag_${name}_seconds`);
  }
}
