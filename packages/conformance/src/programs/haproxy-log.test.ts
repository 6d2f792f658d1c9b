import { describe, expect, it } from "vitest";
import { describeRecord, parseProxyRecord } from "./haproxy-log.ts";

const LINE =
  '{"frontend":"hbone","accepted":1767323045007,"source":"::ffff:198.18.1.10","sourcePort":34364,"destination":"::ffff:198.18.1.13","destinationPort":15008,"received":7,"sent":76,"termination":"--"}';

describe("HAProxy's log", () => {
  it("shows IPv4 in its own form", () => {
    const record = parseProxyRecord(LINE);
    expect(record).toEqual({
      frontend: "hbone",
      accepted: 1_767_323_045_007,
      source: "198.18.1.10",
      sourcePort: 34364,
      destination: "198.18.1.13",
      destinationPort: 15008,
      received: 7,
      sent: 76,
      termination: "--",
    });
    expect(record && describeRecord(record)).toBe("hbone 198.18.1.10 → 198.18.1.13 port 15008, 7 B in, 76 B out");
  });

  it("leaves other lines alone and refuses broken records", () => {
    expect(parseProxyRecord("[NOTICE] (1) : New worker forked")).toBeUndefined();
    expect(() => parseProxyRecord('{"frontend":"outbound"}')).toThrow();
  });
});
