import type { LogConfig } from './config.ts';
import type { OptionValues } from './option-table.ts';

/** `log.*`, of collector.conf and of receiver.conf. */
export function logConfigOf(values: Pick<OptionValues, `log.${string}` & keyof OptionValues>): LogConfig {
  return {
    level: values['log.level'],
    dir: values['log.dir'],
    file: values['log.file'],
    flush: values['log.flush'],
    format: values['log.format'],
    fileBytesMax: values['log.max_size'],
    filesMax: values['log.max_files'],
  };
}
