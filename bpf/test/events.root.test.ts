import { RingBuffer } from "libbpf-ts";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Datapath } from "./support/datapath.ts";
import { ACK, concat, ipFrame, MAC_OUTBOUND, PROTOCOL, SYN, tcpFrame, zeros } from "./support/frames.ts";
import { addressKey, flow, le32, le64, PROGRAMS, readLe64, settings, VERDICTS } from "./support/layout.ts";
import { testRun } from "./support/test-run.ts";
import { monotonic, resetBeforeEach, SECOND } from "./support/two-proxies.ts";

const STOPPED = 1;
const BEGUN = 2;
const OF_SOME = 4;
const RING_BYTES = 256 * 1024;
const ENDS = { source: "198.18.1.10", destination: "198.18.9.9", sourcePort: 40000, destinationPort: 80 };

let datapath: Datapath;
let records: Uint8Array[] = [];
let ring: RingBuffer;
beforeAll(() => {
  datapath = new Datapath();
  ring = RingBuffer.open(datapath.map("events"), (batch) => void records.push(...batch)).pause();
});
afterAll(() => {
  ring[Symbol.dispose]();
  datapath[Symbol.dispose]();
});
resetBeforeEach(() => datapath);
beforeEach(() => {
  taken();
  want(STOPPED | BEGUN);
});

function want(kinds: number, untilNs = monotonic() + 60n * SECOND): void {
  datapath.map("events_wanted").update(le32(0), concat(le64(untilNs), le32(kinds), le32(0)));
}

/** All that waits. */
function taken(): Uint8Array[] {
  ring.resume();
  ring.consume();
  ring.pause();
  const all = records;
  records = [];
  return all;
}

const lost = () =>
  datapath
    .map("events_lost")
    .lookupPerCpu(le32(0))
    .reduce((sum, bytes) => sum + readLe64(bytes), 0);
const names = (record: Uint8Array) => `${PROGRAMS[record[52] ?? 255]}.${VERDICTS[record[53] ?? 255]}`;
const udp = ipFrame({ ...ENDS, protocol: PROTOCOL.udp, payload: zeros(40) });
const syn = tcpFrame({ ...ENDS, flags: SYN });

it("tells of a connection by its SYN, with its ends, the device, the bytes and the flags", () => {
  testRun(datapath, "app_outbound", syn);
  testRun(datapath, "app_inbound", syn);
  const events = taken();
  expect(events.map(names)).toEqual(["app_outbound.captured", "app_inbound.captured"]);
  const [event = zeros(0)] = events;
  expect(event).toHaveLength(56);
  expect(event.subarray(8, 44)).toEqual(flow(ENDS.source, 40000, ENDS.destination, 80));
  expect(event.subarray(44, 52)).toEqual(concat(le32(1), le32(syn.length)));
  expect(event.subarray(54)).toEqual(Uint8Array.of(SYN, 0));
});

it("tells of nothing that goes on as before", () => {
  testRun(datapath, "app_outbound", tcpFrame({ ...ENDS, flags: ACK }));
  testRun(datapath, "app_inbound", tcpFrame({ ...ENDS, flags: ACK }));
  testRun(datapath, "app_outbound", udp);
  testRun(datapath, "ztunnel_host_in", syn);
  expect(taken()).toEqual([]);
});

it("tells of what is dropped or refused, wherever", () => {
  testRun(datapath, "ztunnel_tproxy", tcpFrame(ENDS, { from: MAC_OUTBOUND }));
  datapath.map("settings").update(le32(0), settings({}));
  testRun(datapath, "app_outbound", tcpFrame({ ...ENDS, flags: ACK }));
  testRun(datapath, "app_inbound", syn.subarray(0, 40));
  expect(taken().map(names)).toEqual([
    "ztunnel_tproxy.dropped_no_listener",
    "app_outbound.dropped_no_proxy",
    "app_inbound.dropped_unparsable",
  ]);
});

it("tells of what is wanted alone, and as long as it is", () => {
  const both = () => {
    testRun(datapath, "app_outbound", syn);
    testRun(datapath, "ztunnel_tproxy", tcpFrame(ENDS, { from: MAC_OUTBOUND }));
    return taken().map(names);
  };
  want(STOPPED);
  expect(both()).toEqual(["ztunnel_tproxy.dropped_no_listener"]);
  want(BEGUN);
  expect(both()).toEqual(["app_outbound.captured"]);
  want(STOPPED | BEGUN, monotonic());
  expect(both()).toEqual([]);
});

it("tells of some addresses alone, of either end, wherever", () => {
  want(STOPPED | BEGUN | OF_SOME);
  const all = () => {
    testRun(datapath, "app_outbound", syn);
    testRun(datapath, "app_inbound", syn);
    testRun(datapath, "ztunnel_tproxy", tcpFrame(ENDS, { from: MAC_OUTBOUND }));
    return taken().map(names);
  };
  expect(all()).toEqual([]);
  for (const address of [ENDS.source, ENDS.destination]) {
    datapath.map("events_of").update(addressKey(address), le32(1));
    expect(all(), address).toEqual([
      "app_outbound.captured",
      "app_inbound.captured",
      "ztunnel_tproxy.dropped_no_listener",
    ]);
    datapath.map("events_of").delete(addressKey(address));
  }
  datapath.map("events_of").update(concat(zeros(12), le32(1)), le32(1));
  expect(all(), "the interface").toEqual([]);
  // An IPv4 header of four words cannot be followed, not even to its addresses.
  testRun(datapath, "app_inbound", syn.with(14, 0x44));
  expect(taken().map(names)).toEqual(["app_inbound.dropped_unparsable"]);
  datapath.map("events_of").delete(concat(zeros(12), le32(1)));
  want(STOPPED | BEGUN);
  expect(all()).toHaveLength(3);
});

it("counts what a reader that does not come leaves no room for, and loses no other", () => {
  const before = lost();
  const repeat = 10_000;
  datapath.node.program("app_inbound").testRun({ data: syn.subarray(0, 40), repeat });
  const kept = taken().length;
  expect(kept).toBe(Math.floor((RING_BYTES - 1) / 64));
  expect(kept + lost() - before).toBe(repeat);
});
