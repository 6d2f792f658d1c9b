import { describe, expect, it } from "vitest";
import { Expect } from "./expect.ts";

const failed = { ok: false, failure: "TIMEOUT", connected: true, received: 0, ms: 7 } as const;

describe("expectations", () => {
  it("keep what was seen, also of what fails", () => {
    const trial = new Expect();
    trial.equal("port", 1, 1);
    expect(() => trial.equal("port", 2, 1)).toThrow(/port: expected 1, saw 2/);
    expect(() => trial.that("fast", false, "9 s")).toThrow(/fast: not so, saw 9 s/);
    expect(trial.evidence).toEqual(["port: 1", "port: 2", "fast: 9 s"]);
  });

  it("say how a conversation failed", () => {
    const trial = new Expect();
    expect(() => trial.success("dial", failed)).toThrow(
      /dial: TIMEOUT after 7 ms, after the handshake, 0 bytes received/,
    );
    expect(trial.success("dial", { ok: true, value: 5, local: "", localPort: 0, ms: 1 })).toBe(5);
  });

  it("a failure that lets bytes through is none", () => {
    const trial = new Expect();
    trial.failure("dial", failed);
    expect(() => trial.failure("dial", { ...failed, received: 3 })).toThrow(/3 bytes came through/);
    expect(() => trial.failure("dial", { ok: true, value: 5, local: "", localPort: 0, ms: 1 })).toThrow(/it completed/);
  });
});
