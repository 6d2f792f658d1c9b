import type { Ended, Failed } from "./traffic.ts";

/** What became of one point. */
export interface PointResult {
  /** Which point, as it is printed. */
  readonly what: string;
  /** `missed`: the agent was not killed there, so that nothing was shown. */
  readonly verdict: "converged" | "diverged" | "missed";
  /** What is not as it should be. */
  readonly details: readonly string[];
  readonly escaped: number;
  /** Milliseconds since the epoch. */
  readonly began: number;
  readonly ended: number;
}

/** What a run has shown so far; prints as it goes. */
export class CrashReport {
  readonly #print: (line: string) => void;
  readonly #results: PointResult[] = [];
  #leaks = 0;
  #escaped = 0;
  #failed = 0;
  #broken = 0;
  #connections = 0;
  /** Places where nothing was counted: what cannot count shows nothing. */
  #blind = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  note(line: string): void {
    this.#print(line);
  }

  point(result: PointResult): void {
    this.#results.push(result);
    this.#escaped += result.escaped;
    const took = `${((result.ended - result.began) / 1000).toFixed(1)} s`;
    const mark = { converged: "✓", diverged: "✗", missed: "?" }[result.verdict];
    this.#print(`${mark} ${result.what} × ${result.verdict} in ${took}`);
    if (result.escaped > 0) this.#print(`    ${result.escaped} connections escaped`);
    for (const detail of result.details) this.#print(`    ${detail}`);
  }

  /** What was still there after an uninstall. */
  leaks(where: string, lines: readonly string[]): void {
    this.#leaks += lines.length;
    for (const line of lines) this.#print(`✗ ${where}: left behind: ${line}`);
  }

  /** Connections and streams that went on meanwhile; each failure is told with the points that it falls in. */
  traffic(where: string, { connections, failed, streams, broken }: Ended, proxied: number): void {
    this.#connections += connections;
    this.#failed += failed.length;
    this.#broken += broken.length;
    this.#print(
      `${where}: ${connections} connections, ${failed.length} failed; ${streams} streams, ${broken.length} broken; ` +
        `${proxied} seen to come by the proxy`,
    );
    for (const failure of failed) this.#print(`    failed ${this.#when(failure)}: ${failure.what}`);
    for (const stream of broken) this.#print(`    broken: ${stream}`);
    if (proxied > 0) return;
    this.#blind += 1;
    this.#print(`✗ ${where}: no connection was seen to come by the proxy`);
  }

  /** The last lines, and whether everything is as it should be. */
  end(): boolean {
    const count = (verdict: PointResult["verdict"]) =>
      this.#results.filter((result) => result.verdict === verdict).length;
    const [points, converged, missed] = [this.#results.length, count("converged"), count("missed")];
    const bad = this.#results.filter(({ verdict }) => verdict !== "converged");
    if (bad.length > 0) this.#print("\nnot converged:");
    for (const { what, verdict } of bad) this.#print(`  ${what}: ${verdict}`);
    this.#print(
      `\n${this.#connections} connections, ${this.#escaped} escaped, ${this.#failed} failed, ${this.#broken} streams broken` +
        `${missed === 0 ? "" : `, ${missed} points missed`}`,
    );
    this.#print(`crash: ${points} points, ${converged} converged, ${this.#leaks} leaks`);
    return (
      points > 0 &&
      converged === points &&
      this.#leaks + this.#escaped + this.#failed + this.#broken + this.#blind === 0
    );
  }

  #when({ at }: Failed): string {
    const during = this.#results.find(({ began, ended }) => began <= at && at <= ended);
    return `${new Date(at).toISOString()}${during === undefined ? " (between points)" : ` at ${during.what}`}`;
  }
}
