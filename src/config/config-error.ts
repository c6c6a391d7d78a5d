import { OplogueError } from '../shared/errors.ts';

/**
 * What kind of mistake it is: the file cannot be read, its version is too old, its text cannot be
 * understood, or a value or a combination is not allowed. MongoShake has one exit code for each.
 */
export type ConfigMistakeKind = 'open' | 'version' | 'parse' | 'check';

/** One mistake in a configuration. */
export interface ConfigMistake {
  readonly kind: ConfigMistakeKind;
  /** `collector.conf:12`, `environment variable OPLOGUE_ID`, `--set id`, or undefined when nothing was given. */
  readonly where?: string | undefined;
  /** The key, where it is known. */
  readonly key?: string | undefined;
  /** What is wrong; no secret. */
  readonly text: string;
  /** The cure. */
  readonly hint?: string | undefined;
}

const kindsByWeight: readonly ConfigMistakeKind[] = ['open', 'version', 'parse', 'check'];

/** A configuration cannot be used; holds every mistake that was found. */
export class ConfigError extends OplogueError {
  readonly mistakes: readonly ConfigMistake[];
  /** The first of open, version, parse, check that occurs: it decides the exit code. */
  readonly kind: ConfigMistakeKind;

  constructor(mistakes: readonly ConfigMistake[]) {
    const sorted = mistakes.toSorted((a, b) => placeOf(a) - placeOf(b));
    const lines = sorted.map(textOf);
    const message =
      lines.length === 1
        ? `The configuration has a mistake: ${lines[0]}`
        : `The configuration has ${lines.length} mistakes:\n  ${lines.join('\n  ')}`;
    super({ code: 'CONFIG_INVALID', message });
    this.mistakes = sorted;
    this.kind = kindsByWeight.find((kind) => sorted.some((mistake) => mistake.kind === kind)) ?? 'check';
  }
}

// What concerns the whole file first, then its lines from the top, then the rest.
function placeOf(mistake: ConfigMistake): number {
  if (mistake.kind === 'open' || mistake.kind === 'version') return 0;
  return Number(/:(\d+)$/.exec(mistake.where ?? '')?.[1] ?? Number.MAX_SAFE_INTEGER);
}

function textOf(mistake: ConfigMistake): string {
  const where = mistake.where === undefined ? '' : `${mistake.where}: `;
  const hint = mistake.hint === undefined ? '' : ` (${mistake.hint})`;
  return where + mistake.text + hint;
}
