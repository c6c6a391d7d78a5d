import { Collector } from '../collector/collector.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { maskSecrets } from '../shared/mask-url.ts';
import { parseCollectorArguments } from './collector-arguments.ts';
import { PidFile } from './pid-file.ts';
import { runProcess } from './run-process.ts';

/** The collector's command line: reads the arguments, runs one collector, and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  await runProcess({
    wanted: parseCollectorArguments(args),
    load: loadConfig,
    describe,
    run: async (config, { signal, ...process }) => {
      using _pidFile = PidFile.acquire({ id: config.id, dir: config.log.dir });
      await new Collector({ config, ...process }).run(signal);
    },
  });
}

function describe({ source, tunnel }: Config): string {
  const target = tunnel.kind === 'mock' ? '' : ` ${maskSecrets(tunnel.address)}`;
  return `${maskSecrets(source.url)} -> ${tunnel.kind}${target}`;
}
