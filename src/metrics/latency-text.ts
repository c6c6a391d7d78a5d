import { LatencyHistogram } from './latency-histogram.ts';
import type { SourceView } from './source-view.ts';

const name = 'oplogue_latency_seconds';

/** The latencies of all sources as one Prometheus histogram, in the text format 0.0.4. */
export function latencyText(sources: readonly SourceView[]): string {
  const lines = [
    `# HELP ${name} Time from the commit at the source to the acknowledgement of the far side`,
    `# TYPE ${name} histogram`,
  ];
  for (const { stats, latency } of sources) {
    const source = `source="${escapeLabel(stats.name)}"`;
    for (const [i, count] of latency.cumulative().entries()) {
      lines.push(`${name}_bucket{${source},le="${LatencyHistogram.boundsMs[i] / 1000}"} ${count}`);
    }
    lines.push(
      `${name}_bucket{${source},le="+Inf"} ${latency.count}`,
      `${name}_sum{${source}} ${latency.sumMs / 1000}`,
      `${name}_count{${source}} ${latency.count}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
