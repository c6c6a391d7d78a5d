/** Says how far a download is: a bar redrawn in place on a terminal, plain lines elsewhere. */
export class Progress {
  readonly #title: string;
  readonly #output: NodeJS.WriteStream;
  #lastPercent = -1;

  constructor(title: string, output: NodeJS.WriteStream = process.stderr) {
    this.#title = title;
    this.#output = output;
  }

  /** `done` of `total`, in any unit; `note` names the part just handled. */
  step(done: number, total: number, note = ''): void {
    const percent = Math.min(100, Math.floor((done / total) * 100));
    if (this.#output.isTTY) {
      const filled = Math.floor(percent / 4);
      const bar = '#'.repeat(filled) + '.'.repeat(25 - filled);
      const line = `${this.#title} [${bar}] ${String(percent).padStart(3)} % ${note}`;
      this.#output.write(`\r\x1b[2K${line.slice(0, Math.max(20, this.#output.columns - 1))}`);
    } else if (percent >= this.#lastPercent + 20 || this.#lastPercent < 0) {
      this.#output.write(`${this.#title}: ${percent} %\n`);
      this.#lastPercent = percent;
    }
  }

  /** A line of its own. */
  say(text: string): void {
    this.#output.write(`${this.#output.isTTY ? '\r\x1b[2K' : ''}${this.#title}: ${text}\n`);
  }
}
