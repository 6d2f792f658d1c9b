import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, FAMILIES, type Family, Haproxy, Lab, runChecked } from "@millrace/conformance";
import { formatAddress } from "linux-ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { type ReadPacket, readPcapng } from "../testing/read-pcapng.ts";

const PORT = 8080;
const SYN = 0x02;
const SYN_ACK = 0x12;

describe.each(["ebpf", "iptables"])("millrace capture, with the %s backend", (redirectMode) => {
  let lab: Lab;
  let agent: Agent;
  let files = 0;

  beforeAll(async () => {
    const nodes = [{ pods: ["m1", "m2"], proxies: ["z1"] }];
    lab = await Lab.create({ prefix: "cp", nodes, externals: ["world"] });
    const node = lab.node(1);
    await (await lab.external("world").endpoint()).listen(PORT);
    await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
    node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
    node.applyNamespace("istio-system");
    for (const pod of node.pods) node.applyPod(pod);
    agent = await Agent.start(node, { redirectMode });
    await agent.untilActive(lab.pod("z1"));
    await agent.untilEnrolled(lab.pod("m1"), lab.pod("m2"));
  });

  afterAll(() => lab?.[Symbol.asyncDispose]());

  const newFile = () => join(lab.node(1).paths.root, `${files++}.pcapng`);

  async function converse(from: string, family: Family): Promise<void> {
    const target = { host: lab.external("world").address(family), port: PORT };
    const { succeeded } = await (await lab.pod(from).endpoint()).ask("load", {
      targets: [target],
      rate: 1,
      seconds: 1,
    });
    expect(succeeded).toBe(1);
  }

  /** What is captured of m1 while `act` runs; it is ended as a person ends it. */
  async function captured(act: () => Promise<void>, ...more: string[]): Promise<{ file: string; said: string }> {
    const file = newFile();
    const capture = agent.startMillrace("capture", "demo/m1", "-w", file, ...more);
    await capture.until("it listened", () => capture.lines.some((line) => line.startsWith("capturing ")));
    await act();
    await capture.stop("SIGINT");
    expect(capture.outcome, capture.lines.join("\n")).toBe("status 0");
    return { file, said: capture.lines.join("\n") };
  }

  test("has the member's leg and both of the proxy's, and nothing of another member", async () => {
    const { file, said } = await captured(async () => {
      for (const family of FAMILIES) {
        await converse("m1", family);
        await converse("m2", family);
      }
    });
    expect(said).toMatch(
      /^capturing demo\/m1 \(198\.18\.\d+\.\d+, 2001:2:[0-9a-f:]+\), as seen by the node, pod demo\/m1, proxy istio-system\/z1$/m,
    );
    expect(said).toMatch(/^\d+ packets, \d+ bytes in .*: interrupted$/m);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const { comment, packets } = readPcapng(readFileSync(file));
    expect(comment).toContain("packets of demo/m1 ");
    const times = packets.map(({ atNs }) => atNs);
    expect(times).toEqual([...times].sort((left, right) => Number(left - right)));
    const [m1, m2, world] = [lab.pod("m1"), lab.pod("m2"), lab.external("world")];
    for (const family of FAMILIES) {
      const seen = (name: string, isOutbound: boolean, source: string, destination: string, flags: number) =>
        packets.filter((packet) => {
          const tcp = tcpOf(packet);
          return (
            packet.interface === name &&
            packet.isOutbound === isOutbound &&
            tcp?.source === source &&
            tcp.destination === destination &&
            (tcp.flags & SYN_ACK) === flags
          );
        }).length;
      const [member, server] = [m1.address(family), world.address(family)];
      // The member's, at its own end: the answer too, which the programs hand to it past its veth on the node.
      expect.soft(seen("pod:eth0", true, member, server, SYN)).toBe(1);
      expect.soft(seen("pod:eth0", false, server, member, SYN_ACK)).toBe(1);
      if (redirectMode === "ebpf") expect.soft(seen("node:h-m1", true, server, member, SYN_ACK)).toBe(0);
      // The proxy's two: what was redirected to it comes in, what it dials in the member's name goes out; and the answers.
      const proxyIn = packets.filter(({ interface: name }) => name.startsWith("proxy:"));
      const legs = (isOutbound: boolean, flags: number, source: string) =>
        proxyIn.filter((packet) => {
          const tcp = tcpOf(packet);
          return (
            packet.isOutbound === isOutbound &&
            tcp !== undefined &&
            tcp.source === source &&
            (tcp.flags & SYN_ACK) === flags
          );
        }).length;
      expect.soft(legs(false, SYN, member)).toBeGreaterThan(0);
      expect.soft(legs(true, SYN_ACK, server)).toBeGreaterThan(0);
      expect.soft(legs(true, SYN, member)).toBeGreaterThan(0);
      expect.soft(legs(false, SYN_ACK, server)).toBeGreaterThan(0);
      expect.soft(packets.filter((packet) => involves(packet, m2.address(family)))).toEqual([]);
      expect.soft(packets.filter((packet) => involves(packet, member)).length).toBeGreaterThan(8);
    }
    // By a reader that is not ours: every packet, with its nanoseconds.
    const listing = await runChecked("tcpdump", ["-nn", "-tt", "--time-stamp-precision=nano", "-r", file]);
    const theirs = listing.split("\n").filter((line) => /^\d+\.\d{9} /.test(line));
    expect(theirs.map((line) => BigInt(line.slice(0, line.indexOf(" ")).replace(".", "")))).toEqual(times);
  });

  // What follows is the same whoever redirects.
  if (redirectMode !== "ebpf") return;

  test("ends at its limits", async () => {
    const few = await captured(() => converse("m1", 4), "--packets", "5", "--snaplen", "64");
    expect(few.said).toMatch(/^5 packets, \d+ bytes in .*: that is as many as it may have$/m);
    const { packets } = readPcapng(readFileSync(few.file));
    expect(packets).toHaveLength(5);
    expect(packets.every(({ bytes, length }) => bytes.length === Math.min(length, 64))).toBe(true);
    expect(packets.some(({ length }) => length > 64)).toBe(true);

    const piped = await agent.millrace("capture", "demo/m1", "-w", "-", "--seconds", "1");
    expect(piped.status).toBe(0);
    expect(piped.stdout).toContain("packets of demo/m1 ");
    expect(piped.stderr).toMatch(/^\d+ packets, \d+ bytes in standard output: 1 seconds are over$/m);
  });

  test("refuses what it cannot do, by code", async () => {
    const there = newFile();
    writeFileSync(there, "");
    const refusals = await Promise.all(
      [
        ["demo/nobody", "-w", newFile()],
        ["demo/m1", "-w", there],
        ["demo/m1", "-w", "/nonexistent/file"],
      ].map(async (args) => {
        const { status, stderr } = await agent.millrace("capture", ...args);
        return [status, /^error (\w+)/m.exec(stderr)?.[1]];
      }),
    );
    expect(refusals).toEqual([
      [EXIT.usage, "ERR_POD_UNKNOWN"],
      [EXIT.usage, "ERR_CAPTURE_FILE"],
      [EXIT.usage, "ERR_CAPTURE_FILE"],
    ]);
  });

  test("ends when the pod goes, and does not keep its namespace", async () => {
    const node = lab.node(1);
    const file = newFile();
    const capture = agent.startMillrace("capture", "demo/m2", "-w", file);
    await capture.until("it listened", () => capture.lines.some((line) => line.startsWith("capturing ")));
    await node.removePod("m2");
    await capture.ended;
    expect(capture.lines.at(-1)).toMatch(/: the pod is gone$/);
    expect(capture.outcome).toBe("status 0");
    expect(readPcapng(readFileSync(file)).comment).toContain("packets of demo/m2 ");
  });
});

const involves = (packet: ReadPacket, address: string) => {
  const ip = ipOf(packet);
  return ip !== undefined && (ip.source === address || ip.destination === address);
};

function ipOf({ bytes }: ReadPacket) {
  const [type, header] = [bytes.readUInt16BE(12), bytes.subarray(14)];
  const address = (from: number, length: number) => formatAddress(header.subarray(from, from + length));
  if (type === 0x0800) {
    const rest = header.subarray(((header[0] ?? 0) & 15) * 4);
    return { source: address(12, 4), destination: address(16, 4), protocol: header[9], rest };
  }
  if (type !== 0x86dd) return undefined;
  return { source: address(8, 16), destination: address(24, 16), protocol: header[6], rest: header.subarray(40) };
}

function tcpOf(packet: ReadPacket) {
  const ip = ipOf(packet);
  return ip?.protocol === 6 ? { ...ip, flags: ip.rest[13] ?? 0 } : undefined;
}
