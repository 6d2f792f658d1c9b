import { isDeepStrictEqual } from "node:util";
import { LabError } from "../errors.ts";
import type { Outcome } from "../programs/endpoint/protocol.ts";

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** States expectations of one trial and keeps, as evidence, what was seen for each. */
export class Expect {
  /** One line for each thing seen, in order. */
  readonly evidence: string[] = [];

  /** Records something seen that is no expectation. */
  note(what: string, seen: unknown): void {
    this.evidence.push(`${what}: ${show(seen)}`);
  }

  /** Throws ERR_EXPECTATION unless both are deeply equal. */
  equal<Value>(what: string, seen: Value, wanted: Value): void {
    this.note(what, seen);
    if (!isDeepStrictEqual(seen, wanted)) this.fail(`${what}: expected ${show(wanted)}, saw ${show(seen)}`);
  }

  /** Throws ERR_EXPECTATION unless `condition` holds; `seen` says what was seen. */
  that(what: string, condition: boolean, seen: unknown): void {
    this.note(what, seen);
    if (!condition) this.fail(`${what}: not so, saw ${show(seen)}`);
  }

  /** The value of a conversation that must succeed. */
  success<Value>(what: string, outcome: Outcome<Value>): Value {
    if (!outcome.ok) {
      const how = outcome.connected
        ? `after the handshake, ${outcome.received} bytes received`
        : "before the handshake was done";
      this.fail(`${what}: ${outcome.failure} after ${outcome.ms} ms, ${how}`);
    }
    return outcome.value;
  }

  /** A conversation that must fail without a byte from the other side. */
  failure(what: string, outcome: Outcome<unknown>): void {
    if (outcome.ok) this.fail(`${what}: expected it to be refused or dropped, but it completed in ${outcome.ms} ms`);
    this.note(what, `${outcome.failure} after ${outcome.ms} ms`);
    if (outcome.received > 0) this.fail(`${what}: failed as it should, but ${outcome.received} bytes came through`);
  }

  fail(message: string): never {
    throw new LabError("ERR_EXPECTATION", message);
  }
}
