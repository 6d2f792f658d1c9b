import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { BpfObject } from "libbpf-ts";
import { describe, expect, it } from "vitest";
import { NODE_OBJECT, PROXY_OBJECT, SHARED_MAPS } from "./support/datapath.ts";
import { DIRECTION, PROGRAMS, VERDICTS } from "./support/layout.ts";

/* The layout of version 1. A change here is a change of LAYOUT_VERSION in include/layout.h. */

interface BtfType {
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
}

function btf(object: string): readonly BtfType[] {
  return JSON.parse(execFileSync("bpftool", ["-j", "btf", "dump", "file", object], { encoding: "utf8" })).types;
}

/** Size and offsets in bytes. */
function structure(object: string, name: string) {
  const type = btf(object).find((candidate) => candidate.kind === "STRUCT" && candidate.name === name);
  const offsets = type?.members?.map((member) => [member.name, member.bits_offset / 8]) ?? [];
  return { size: type?.size, ...Object.fromEntries(offsets) };
}

function specs(object: string) {
  using opened = BpfObject.open(object);
  const maps = opened.mapSpecs.map(({ name, ...spec }) => [name, spec] as const);
  const programs = opened.programSpecs.map(({ name, section }) => [name, section] as const);
  return { maps: Object.fromEntries(maps), programs: Object.fromEntries(programs) };
}

const address = { keySize: 16, flags: 0 };
const index = { keySize: 4, flags: 0 };

describe("node.bpf.o", () => {
  it.each([
    ["address", { size: 16, bytes: 0 }],
    ["settings", { size: 8, active: 0, draining: 1, flags: 2, reserved: 4 }],
    ["proxy", { size: 16, ifindex: 0, netnsid: 4, mac: 8, flags: 14, reserved: 15 }],
    ["workload", { size: 16, flags: 0, via_host: 4, adopt_until_ns: 8 }],
    ["member", { size: 12, ifindex: 0, mac: 4, reserved: 10 }],
    ["excluded_port", { size: 8, ifindex: 0, port: 4, way: 6, reserved: 7 }],
    ["excluded_network", { size: 28, prefix_bits: 0, ifindex: 4, way: 8, address: 12 }],
    ["excluded_state", { size: 4, member_ended: 0, peer_ended: 1, is_reset: 2, reserved: 3 }],
    [
      "event",
      {
        size: 56,
        at_ns: 0,
        source: 8,
        destination: 24,
        source_port: 40,
        destination_port: 42,
        ifindex: 44,
        bytes: 48,
        program: 52,
        verdict: 53,
        tcp_flags: 54,
        reserved: 55,
      },
    ],
    ["events_wanted", { size: 16, until_ns: 0, kinds: 8, reserved: 12 }],
    ["flow", { size: 36, source: 0, destination: 16, source_port: 32, destination_port: 34 }],
  ])("lays out struct %s", (name, expected) => {
    expect(structure(NODE_OBJECT, name)).toEqual(expected);
  });

  it("has these maps and programs, and no data sections", () => {
    expect(specs(NODE_OBJECT)).toEqual({
      maps: {
        settings: { ...index, type: "array", valueSize: 8, maxEntries: 1 },
        proxies: { ...index, type: "array", valueSize: 16, maxEntries: 8 },
        workloads: { ...index, type: "hash", valueSize: 16, maxEntries: 4096 },
        members: { ...address, type: "hash", valueSize: 12, maxEntries: 4096 },
        addresses: { ...address, type: "hash", valueSize: 4, maxEntries: 4096 },
        via_host: { keySize: 36, flags: 0, type: "lru_hash", valueSize: 4, maxEntries: 16384 },
        by_host: { keySize: 36, flags: 0, type: "lru_hash", valueSize: 4, maxEntries: 16384 },
        adopted: { keySize: 36, flags: 0, type: "lru_hash", valueSize: 8, maxEntries: 16384 },
        begun: { keySize: 36, flags: 0, type: "lru_hash", valueSize: 4, maxEntries: 16384 },
        excluded_ports: { keySize: 8, flags: 0, type: "hash", valueSize: 4, maxEntries: 4096 },
        excluded_networks: { keySize: 28, flags: 1, type: "lpm_trie", valueSize: 4, maxEntries: 4096 },
        excluded: { keySize: 36, flags: 0, type: "lru_hash", valueSize: 4, maxEntries: 65536 },
        counters: { ...index, type: "percpu_array", valueSize: 8, maxEntries: PROGRAMS.length * VERDICTS.length },
        questions: { ...index, type: "percpu_array", valueSize: 8, maxEntries: 1 },
        packets: { ...index, type: "percpu_array", valueSize: 56, maxEntries: 2 },
        events: { keySize: 0, flags: 0, type: "ringbuf", valueSize: 0, maxEntries: 256 * 1024 },
        events_wanted: { ...index, type: "array", valueSize: 16, maxEntries: 1 },
        events_of: { ...address, type: "hash", valueSize: 4, maxEntries: 64 },
        events_lost: { ...index, type: "percpu_array", valueSize: 8, maxEntries: 1 },
      },
      programs: { app_outbound: "tc", app_inbound: "tc", ztunnel_host_in: "tc" },
    });
  });
});

describe("proxy.bpf.o", () => {
  it("has these maps and programs, and no data sections", () => {
    const { maps, programs } = specs(PROXY_OBJECT);
    expect(programs).toEqual({ ztunnel_tproxy: "tc", ztunnel_lookup: "sk_lookup" });
    const { flows, listeners, unanswered, packets, ...shared } = maps;
    expect(flows).toEqual({ keySize: 36, flags: 0, type: "lru_hash", valueSize: 4, maxEntries: 65536 });
    expect(listeners).toEqual({ ...index, type: "sockmap", valueSize: 8, maxEntries: 6 });
    expect(unanswered).toEqual({ ...index, type: "array", valueSize: 8, maxEntries: 2 });
    expect(packets).toEqual({ ...index, type: "percpu_array", valueSize: 56, maxEntries: 2 });
    const node = specs(NODE_OBJECT).maps;
    expect(shared).toEqual(Object.fromEntries(SHARED_MAPS.map((name) => [name, node[name]])));
  });

  it("lays out struct flow as the node's object does", () => {
    expect(structure(PROXY_OBJECT, "flow")).toEqual(structure(NODE_OBJECT, "flow"));
  });
});

describe("layout.h", () => {
  const header = readFileSync(new URL("../include/layout.h", import.meta.url), "utf8");

  /** Enumerations are not in the objects' BTF: only what a map or a function names is. */
  const enumerators = (prefix: string) =>
    [...header.matchAll(new RegExp(`^\\t${prefix}_(\\w+) = (\\d+),`, "gm"))]
      .filter(([, name]) => name !== "COUNT")
      .map(([, name = "", value]) => [name.toLowerCase(), Number(value)]);

  it("numbers programs, verdicts and directions", () => {
    expect(enumerators("PROGRAM")).toEqual(PROGRAMS.map((name, number) => [name, number]));
    expect(enumerators("VERDICT")).toEqual(VERDICTS.map((name, number) => [name, number]));
    expect(enumerators("DIRECTION")).toEqual(Object.entries(DIRECTION));
  });
});

describe("both objects", () => {
  it("say that they are under both licences", () => {
    for (const object of [NODE_OBJECT, PROXY_OBJECT]) {
      const dump = execFileSync("llvm-objdump", ["-s", "-j", "license", object], { encoding: "utf8" });
      expect(dump).toContain("Dual BSD/GPL");
    }
  });
});
