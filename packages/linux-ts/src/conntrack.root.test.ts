import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConntrackEntry, conntrackEntries, deleteConntrack, markConntrack } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

const UDP = 17;
const DNS = { protocol: UDP, port: 53 };

describe.each([
  [4, "198.18.0.1", "198.18.0.2", "198.18.0.3"],
  [6, "2001:2::1", "2001:2::2", "2001:2::3"],
] as const)("conntrack, IPv%i", (family, source, server, proxy) => {
  let there: ScratchNetns;

  beforeEach(() => {
    there = new ScratchNetns();
    const add = (protocol: string, port: number, more: string): void => {
      const tuple = `-p ${protocol} -s ${source} -d ${server} --sport 1000 --dport ${port} -t 60 ${more}`;
      execFileSync("nsenter", [`--net=${there.path}`, "conntrack", "-I", ...tuple.split(" ")], { stdio: "pipe" });
    };
    add("udp", 53, `--reply-src ${proxy} --reply-dst ${source} --reply-port-src 15053 --reply-port-dst 1000`);
    add("udp", 54, "--mark 0xabc");
    add("tcp", 53, "--state ESTABLISHED --zone 7");
  });
  afterEach(() => there[Symbol.dispose]());

  const ports = (entries: ConntrackEntry[]) =>
    entries.map(({ protocol, original }) => `${protocol} ${original.destinationPort}`).sort();

  it("lists connections, also those of one protocol and port alone", () => {
    const { fd } = there;
    expect(ports(conntrackEntries(fd, { family }))).toEqual(["17 53", "17 54", "6 53"]);
    expect(conntrackEntries(fd, { family: family === 4 ? 6 : 4 })).toEqual([]);
    expect(conntrackEntries(fd, { family, to: DNS })).toMatchObject([
      {
        family,
        protocol: UDP,
        original: { source, sourcePort: 1000, destination: server, destinationPort: 53 },
        reply: { source: proxy, sourcePort: 15053, destination: source, destinationPort: 1000 },
        mark: 0,
      },
    ]);
  });

  it("deletes one, in its zone, and says when there is none", () => {
    const { fd } = there;
    for (const entry of conntrackEntries(fd, { family })) {
      if (entry.original.destinationPort !== 53) continue;
      expect(deleteConntrack(fd, entry)).toBe(true);
      expect(deleteConntrack(fd, entry)).toBe(false);
    }
    expect(ports(conntrackEntries(fd, { family }))).toEqual(["17 54"]);
  });

  it("changes some bits of a mark", () => {
    const { fd } = there;
    const find = () => conntrackEntries(fd, { family }).find(({ original }) => original.destinationPort === 54);
    const entry = find();
    if (entry === undefined) throw new Error("no entry");
    expect(entry.mark).toBe(0xabc);
    expect(markConntrack(fd, entry, { mark: 0, mask: 0xff })).toBe(true);
    expect(find()?.mark).toBe(0xa00);
    deleteConntrack(fd, entry);
    expect(markConntrack(fd, entry, { mark: 0, mask: 0xff })).toBe(false);
  });
});
