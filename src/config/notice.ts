/** Something the user should hear about their configuration, although it works. */
export interface Notice {
  /** `debug` for keys that are accepted and have no effect. */
  readonly level: 'debug' | 'info' | 'warn';
  readonly text: string;
}
