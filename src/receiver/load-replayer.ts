import { pathToFileURL } from 'node:url';
import type { ReplayerConfig } from '../config/receiver-config.ts';
import { describeError } from '../shared/errors.ts';
import { FileReplayer } from './file-replayer.ts';
import { MongodbReplayer } from './mongodb-replayer.ts';
import { PrintReplayer } from './print-replayer.ts';
import { ReplayerError } from './replayer-error.ts';
import type { Replayer } from './replayer.ts';

const HINT =
  'export a function apply(entries), or by default an object with it or a function that makes one; docs/receiver.md shows a whole module';

/**
 * The replayers that `replayer.module` names: one for each index when the module exports a function, else the same for all.
 * @throws ReplayerError when there is no such module, or it is no replayer
 */
export async function loadReplayers(config: ReplayerConfig): Promise<Replayer[]> {
  const { count, module } = config;
  if (module === 'mongodb') return repeat(count, new MongodbReplayer(config.mongoUrl));
  if (module === 'print') return repeat(count, new PrintReplayer());
  if (module === 'file') return repeat(count, new FileReplayer(config.output));
  const exported = await importDefault(module);
  const replayers: Replayer[] = [];
  for (let index = 0; index < count; index++) {
    const made: unknown = typeof exported === 'function' ? await make(module, exported) : exported;
    if (!isReplayer(made)) {
      throw new ReplayerError({
        code: 'REPLAYER_MODULE',
        message: `${module} is no replayer: it has no method apply`,
        hint: HINT,
      });
    }
    replayers.push(made);
  }
  return replayers;
}

function repeat(count: number, replayer: Replayer): Replayer[] {
  return Array.from({ length: count }, () => replayer);
}

async function importDefault(module: string): Promise<unknown> {
  try {
    const loaded: { default?: unknown } = await import(pathToFileURL(module).href);
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new ReplayerError({
      code: 'REPLAYER_MODULE',
      message: `The module ${module} cannot be loaded: ${describeError(cause)}`,
      hint: 'check replayer.module: print, file, mongodb, or the path of a JavaScript module beside receiver.conf',
      cause,
    });
  }
}

async function make(module: string, exported: CallableFunction): Promise<unknown> {
  try {
    // A class is called with new, a function as it is.
    const isClass = /^class\b/.test(Function.prototype.toString.call(exported));
    return isClass ? Reflect.construct(exported, []) : await Reflect.apply(exported, undefined, []);
  } catch (cause) {
    throw new ReplayerError({
      code: 'REPLAYER_MODULE',
      message: `${module} does not make a replayer: ${describeError(cause)}`,
      hint: HINT,
      cause,
    });
  }
}

function isReplayer(value: unknown): value is Replayer {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'apply') === 'function';
}
