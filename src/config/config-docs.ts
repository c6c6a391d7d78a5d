import { environmentNameOf } from './given-value.ts';
import { oldKeys, oldValues } from './old-key.ts';
import { allowedText, defaultText } from './option-text.ts';
import type { OptionSet } from './option-set.ts';
import { collectorOptions } from './option-table.ts';
import type { Option, OptionSection } from './option.ts';
import { receiverOptions } from './receiver-option-table.ts';

type Sections = ReadonlyArray<{ readonly section: OptionSection; readonly title: string }>;

const sections: Sections = [
  { section: 'process', title: 'The process' },
  { section: 'source', title: 'The source' },
  { section: 'tunnel', title: 'The destination' },
  { section: 'kafka', title: 'Kafka' },
  { section: 'receiver', title: 'Receivers (tcp and rpc)' },
  { section: 'file', title: 'Files' },
  { section: 'filter', title: 'What is carried' },
  { section: 'checkpoint', title: 'The checkpoint' },
  { section: 'workers', title: 'Workers' },
  { section: 'memory', title: 'Memory' },
  { section: 'http', title: 'Status pages' },
  { section: 'log', title: 'The log' },
  { section: 'full-sync', title: 'Full sync (not built yet: these keys have no effect)' },
  { section: 'direct', title: 'Writing into a MongoDB (not built yet: these keys have no effect)' },
  { section: 'debug', title: 'For tests of MongoShake (not built)' },
];

const commentWidth = 100;

const receiverSections: Sections = [
  { section: 'process', title: 'The process' },
  { section: 'tunnel', title: 'The source' },
  { section: 'replayer', title: 'Replayers' },
  { section: 'receiver', title: 'TLS of tcp and rpc' },
  { section: 'kafka', title: 'Kafka' },
  { section: 'file', title: 'Files' },
  { section: 'memory', title: 'Memory' },
  { section: 'http', title: 'Status pages' },
  { section: 'log', title: 'The log' },
];

/** The text of conf/collector.conf: every key that a user may want, ready for a local replica set and Kafka. */
export function renderCollectorConf(): string {
  return renderConf(
    'The configuration of an Oplogue collector, with the keys of MongoShake and a few more. As it stands it carries the changes of a replica set on this machine into Kafka on this machine. docs/configuration.md says more about each key. A line is "key = value"; a comment is a line of its own.',
    collectorOptions,
    sections,
  );
}

/** The text of conf/receiver.conf: every key that a user may want, ready for a collector on this machine. */
export function renderReceiverConf(): string {
  return renderConf(
    'The configuration of an Oplogue receiver, with the keys of MongoShake and a few more. As it stands it prints what a collector on this machine sends with tunnel = rpc. docs/receiver.md begins at what you want to do; docs/receiver-configuration.md says more about each key.',
    receiverOptions,
    receiverSections,
  );
}

function renderConf(introductionText: string, options: OptionSet, parts: Sections): string {
  const blocks = [comment(introductionText)];
  for (const { section, title } of parts) {
    const shown = optionsOf(options, section).filter(({ option }) => option.inner !== true);
    if (shown.length === 0) continue;
    blocks.push(`# ---------------- ${title} ----------------`, ...shown.map(confEntry));
  }
  return `${blocks.join('\n\n')}\n`;
}

function confEntry({ key, option }: NamedOption): string {
  const allowed = option.type === 'string' && option.allowed === undefined ? '' : ` [${allowedText(option)}]`;
  return `${comment(option.text + allowed)}\n${`${key} = ${option.shipped ?? defaultText(option)}`.trimEnd()}`;
}

function comment(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > commentWidth && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** The text of docs/configuration.md: all keys, where values come from, the names of older releases. */
export function renderConfigurationPage(): string {
  const parts = [introduction, ...keyEntries(collectorOptions, sections)];
  parts.push('## Names of the releases before 2.4', oldNames());
  return `${parts.join('\n\n')}\n`;
}

/** The text of docs/receiver-configuration.md. */
export function renderReceiverConfigurationPage(): string {
  return `${[receiverIntroduction, ...keyEntries(receiverOptions, receiverSections)].join('\n\n')}\n`;
}

function keyEntries(options: OptionSet, parts: Sections): string[] {
  return parts.flatMap(({ section, title }) => [
    `## ${title}`,
    ...optionsOf(options, section).map(pageEntry),
  ]);
}

function pageEntry({ key, option }: NamedOption): string {
  const shown = defaultText(option) === '' ? '(empty)' : `\`${defaultText(option)}\``;
  const facts = [
    `- Takes: ${escaped(allowedText(option))}`,
    `- Default: ${shown}${option.shipped === undefined ? '' : `; in conf/collector.conf: \`${option.shipped}\``}`,
    `- Environment: \`${environmentNameOf(key)}\``,
    ...moreFacts(option),
  ];
  return `### \`${key}\`\n\n${escaped(option.text)}\n\n${facts.join('\n')}`;
}

function moreFacts(option: Option): string[] {
  const facts: string[] = [];
  if (option.since !== 'oplogue') facts.push(`- MongoShake: ${option.since}`);
  if (option.aliases !== undefined)
    facts.push(`- Also called: ${option.aliases.map((name) => `\`${name}\``).join(', ')}`);
  if (option.ignored !== undefined) facts.push(`- Accepted, without effect: ${escaped(option.ignored)}`);
  for (const [value, feature] of Object.entries(option.notBuilt ?? {})) {
    facts.push(
      `- ${value === '*' ? 'Any value' : `\`${value}\``} needs ${escaped(feature)}, which is not built yet, and is refused`,
    );
  }
  return facts;
}

function oldNames(): string {
  const rows = Object.entries(oldKeys).map(
    ([name, { today, inverted }]) =>
      `- \`${name}\`: \`${today}\`${inverted === true ? ', with the contrary value' : ''}`,
  );
  for (const [key, values] of Object.entries(oldValues)) {
    for (const [old, today] of Object.entries(values))
      rows.push(`- \`${key} = ${old}\`: \`${key} = ${today}\``);
  }
  const text =
    'A configuration that uses one of these names needs no `conf.version`. Each is read as today’s key, and a notice in the log says so.';
  return `${text}\n\n${rows.join('\n')}`;
}

interface NamedOption {
  readonly key: string;
  readonly option: Option;
}

function optionsOf(options: OptionSet, section: OptionSection): NamedOption[] {
  return options.keys
    .map((key) => ({ key, option: options.optionOf(key) }))
    .filter(({ option }) => option.section === section);
}

// Characters that Markdown would take for markup.
function escaped(text: string): string {
  return text.replaceAll(/[*_<>|]/g, '\\$&');
}

const introduction = `# Configuration

<!-- Generated from the option table in src/config; change it there and run "npm run docs:config". -->

A collector reads MongoShake's \`collector.conf\`. This page lists every key: those of MongoShake 2.8.4 and 2.8.7, and
those that only Oplogue has.

## The file

- A line is \`key = value\`, divided at its first \`=\`. Empty lines and lines that begin with \`#\` do not count. A comment
  cannot follow a value, and there are no sections.
- A list has semicolons between its items. \`@@name\` stands for the lines of the file \`name\` beside the configuration.
  In a URL, write a semicolon as \`%3B\`.
- \`conf.version\` must be 10 or more, as in MongoShake 2.8.
- A text that is left empty has its default. A number or a boolean that is left empty is a mistake: remove the line.
- Zero means the default for most numbers, as in MongoShake.
- An unknown key is a mistake. All mistakes are reported at once, each with its line and its cure.

## Other sources of values

A value is taken from the last of these that gives one:

1. the default;
2. the file, \`-conf=collector.conf\`;
3. the environment: \`tunnel.address\` is \`OPLOGUE_TUNNEL_ADDRESS\`;
4. the command line: \`--set tunnel.address=orders@localhost:9092\`.

\`--check\` checks the configuration and exits.`;

const receiverIntroduction = `# Configuration of the receiver

<!-- Generated from the option table in src/config; change it there and run "npm run docs:config". -->

A receiver reads MongoShake's \`receiver.conf\`: its eight keys, and those that only Oplogue has. The file, the environment
(\`OPLOGUE_TUNNEL_ADDRESS\`) and \`--set key=value\` work as they do for a [collector](configuration.md); \`--check\` checks
the configuration and exits. [Receiver](receiver.md) begins at what you want to do.`;
